"""The actors of the simulation: each keeps the list of what it did, which is all there is to check.

A message names itself and brings a plan: what its turn does beside noting the message. A
note is `<id>#<attempt>`, and what a turn sends is named after its own note, so that the
final lists tell which turns committed and what left them.
"""

from __future__ import annotations

import asyncio
from typing import Final

from broker_actors import BusinessError, Ref, Retry, actor, method, turn
from broker_actors.core.errors import ActorSuspendedError, AskTimeoutError, PlatformError, SystemFaultError
from broker_actors.schedules import every, forget, remind
from tests.simulation.loop import KILL

#: Of asks inside turns.
INNER_TIMEOUT_SECONDS: Final = 4.0
#: More attempts than any plan fails, and than a seed has faults for.
RETRY: Final = Retry(attempts=12, min_backoff=0.4, max_backoff=3.0)


@actor(partitions=2, idle_timeout=2.0, retry=RETRY)
class Book:
    """Notes every message once, if the platform keeps its promises."""

    notes: tuple[str, ...] = ()

    @method
    async def note(self, name: str, plan: list[str]) -> int:
        """Note *name* and return its place in the list, from 1.

        Args:
            name: of the message.
            plan: `tell:b1`, `ask:b1`, `wait:0.1`, `fail:2` (the first two attempts), `reject`,
                `kill` (takes its process down).

        """
        entry = f"{name}#{turn.current().attempt}"
        self.notes = (*self.notes, entry)
        place = len(self.notes)
        for number, step in enumerate(plan):
            verb, _, rest = step.partition(":")
            match verb:
                case "tell":
                    await turn.current().ref(BookRef, rest).note.tell(f"{entry}>{number}", [])
                case "ask":
                    answer = await _asked(rest, f"{entry}?{number}")
                    self.notes = (*self.notes[:-1], f"{self.notes[-1]}={answer}")
                case "wait":
                    await asyncio.sleep(float(rest))
                case "fail" if turn.current().attempt <= int(rest):
                    raise SystemFaultError(f"{entry} was to fail")
                case "reject":
                    raise BusinessError("rejected", f"{entry} was to be rejected")
                case "kill":
                    KILL.get()()
                    await asyncio.get_running_loop().create_future()
                case _:
                    continue
        return place

    @method.options(interleave=True)
    async def jot(self, name: str, plan: list[str], sections: int) -> int:
        """Note `<name>~<n>` in a section each, beside the lane; return how many sections there were.

        Args:
            name: of the message.
            plan: what happens after each section: `tell:b1` is told in it, `wait:0.1`, `fail:2`.
            sections: how many.

        """
        attempt = turn.current().attempt
        for n in range(sections):
            async with turn():
                entry = f"{name}~{n}#{attempt}"
                self.notes = (*self.notes, entry)
                for number, step in enumerate(plan):
                    verb, _, rest = step.partition(":")
                    if verb == "tell":
                        await turn.current().ref(BookRef, rest).note.tell(f"{entry}>{number}", [])
            for step in plan:
                verb, _, rest = step.partition(":")
                if verb == "wait":
                    await asyncio.sleep(float(rest))
                elif verb == "fail" and attempt <= int(rest):
                    raise SystemFaultError(f"{entry} was to fail")
        return sections

    @method
    async def wind(self, name: str, ticks: int) -> int:
        """Note *name*, have as many ticks, one each second, and return its place in the list, from 1."""
        self.notes = (*self.notes, f"{name}#{turn.current().attempt}")
        await remind(name, every(1, missed="all"), self.tick, name, ticks)
        return len(self.notes)

    @method
    async def tick(self, name: str, ticks: int) -> None:
        """Note `<name>@<when it was due>`, and end the reminder with the last."""
        due = (turn.current().idempotency_key or "").rpartition("@")[2]
        self.notes = (*self.notes, f"{name}@{due}#{turn.current().attempt}")
        if sum(note.startswith(f"{name}@") for note in self.notes) >= ticks:
            await forget(name)


#: Mostly longer than what is waited for in the lane.
LONG_RETRY: Final = Retry(attempts=12, min_backoff=3.0, max_backoff=3.0)


@actor(name="Book", partitions=2, idle_timeout=2.0, retry=LONG_RETRY, on_failure="block")
class BlockingBook(Book):
    """The same, and what fails holds up what comes after it."""


@actor(name="Book", partitions=3, generation=2, idle_timeout=2.0, retry=RETRY)
class OtherBook(Book):
    """The same, by a release that has another layout."""


class BookRef(Book, Ref):
    """Typed handle."""


async def _asked(target: str, name: str) -> int:
    """Return where the other one noted it; 0 if it did not say in time."""
    ref = turn.current().ref(BookRef, target).with_options(timeout=INNER_TIMEOUT_SECONDS)
    try:
        return await ref.note(name, [])
    except (AskTimeoutError, PlatformError, ActorSuspendedError):
        return 0
