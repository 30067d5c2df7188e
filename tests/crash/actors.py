"""The actors whose workers die: each keeps what it did in the order in which it did it."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from broker_actors import BusinessError, Ref, Retry, SystemFaultError, actor, method, turn
from broker_actors.schedules import at, remind
from tests.crash.fuse import FOLDER, Fuse, mark

#: So long that a retry waits in the broker, whatever the jitter of the worker under test makes of it.
RETRY: Final = Retry(attempts=3, min_backoff=1.5, max_backoff=1.5)
LOOK_SECONDS: Final = 0.01


@actor(partitions=1)
class Back:
    """Whom `Front` sends to."""

    notes: tuple[str, ...] = ()

    @method
    def note(self, text: str) -> int:
        self.notes = (*self.notes, text)
        return len(self.notes)

    @method
    def read(self) -> list[str]:
        return list(self.notes)


class BackRef(Back, Ref):
    """Typed handle."""


@actor(partitions=1, idle_timeout=0.5, retry=RETRY)
class Front:
    """The actor in whose turns, and around them, workers die."""

    taken: tuple[int, ...] = ()

    def deactivate(self) -> None:
        fuse = Fuse()
        fuse.reach("deactivate", "before")
        asyncio.get_running_loop().call_soon(fuse.reach, "deactivate", "after")

    @method
    async def take(self, number: int, plan: str) -> str:
        """Note *number* and return its place.

        Args:
            number: of the message.
            plan: words of `tell` (two notes at `Back`), `ask` (one), `linger` (go on when the process
                is told to let go), `fail` (the first attempt), `break` (a fault of the worker that dies,
                for good; after `fail` the attempt after that), `reject`.

        """
        self.taken = (*self.taken, number)
        back = turn.current().ref(BackRef, turn.current().actor_id)
        note = f"{number}#{turn.current().attempt}"
        if "tell" in plan:
            await back.note.tell(f"{note} first")
            await back.note.tell(f"{note} second")
        if "ask" in plan:
            await back.note(f"{note} asked")
        Fuse().reach("method", "during")
        if "linger" in plan and FOLDER in os.environ:
            await _linger()
        if "fail" in plan and turn.current().attempt == 1:
            raise OSError(number)
        if "break" in plan and FOLDER in os.environ:
            raise SystemFaultError(str(number), recoverable=False)
        if "reject" in plan:
            raise BusinessError("rejected", str(number))
        return f"{number} is {len(self.taken)}"

    @method
    async def plan(self, number: int, plan: str) -> None:
        """Have *number* taken in a second, by a reminder."""
        soon = datetime.fromtimestamp(time.time() + 1, UTC)
        await remind("take", at(soon), self.take, number, plan)

    @method
    def read(self) -> list[int]:
        return list(self.taken)


@actor(
    name="Front",
    partitions=1,
    idle_timeout=0.5,
    retry=Retry(attempts=3, min_backoff=1.05, max_backoff=1.05),
    on_failure="block",
)
class BlockingFront(Front):
    """The same, and what fails holds up what comes after it."""


class FrontRef(Front, Ref):
    """Typed handle."""


async def _linger() -> None:
    """Return when the worker under test is about to give up its mailbox."""
    mark("lingering")
    let_go = Path(os.environ[FOLDER]) / "let go"
    while not let_go.exists():  # noqa: ASYNC110 - what the process knows reaches user code as a file only
        await asyncio.sleep(LOOK_SECONDS)
