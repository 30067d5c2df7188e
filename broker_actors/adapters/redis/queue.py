"""Commands on their way to the connection: a bounded queue that is emptied in batches."""

from __future__ import annotations

import asyncio
import dataclasses
from bisect import bisect
from collections import deque
from collections.abc import Callable
from itertools import accumulate, islice
from operator import attrgetter
from typing import Final, cast

from broker_actors.adapters.redis.connection import Answer
from broker_actors.adapters.redis.script import Script
from broker_actors.core.light import dataclass

#: Commands that may wait for their turn; callers beyond it wait for room, within their deadline.
WAITING_MAX: Final = 10_000
#: Commands and bytes in one batch; a command of more bytes goes alone.
BATCH_COMMANDS_MAX: Final = 512
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be run.

    Attributes:
        packed: in Redis' wire format.
        script: the script it runs, which must be loaded before.
        key: the first key it touches; None if it touches none.

    """

    packed: bytes
    script: Script | None = None
    key: str | None = None


@dataclasses.dataclass(slots=True, eq=False)
class Waiting:
    """A command and who waits for its answer."""

    packed: bytes
    answer: asyncio.Future[Answer]
    script: Script | None = None

    def settle(self, answer: Answer) -> None:
        """Give *answer* to the caller, if it still waits."""
        if not self.answer.done():
            self.answer.set_result(answer)


packed_of: Final = cast("Callable[[Waiting], bytes]", attrgetter("packed"))


class Queue:
    """First in, first out."""

    def __init__(self) -> None:
        self._commands: deque[Waiting] = deque()
        self._filled = asyncio.Event()
        #: How many wait for room, and what they wait for, one after the other.
        self._comers = 0
        self._door = asyncio.Lock()
        self._left = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether there is room, and nobody who came before waits for it."""
        return not self._comers and len(self._commands) < WAITING_MAX

    def add(self, command: Waiting) -> None:
        """Add *command*, for which there is room."""
        self._commands.append(command)
        if len(self._commands) == 1:
            self._filled.set()

    async def put(self, command: Waiting) -> None:
        """Add *command* as soon as there is room."""
        if self.has_room:
            self.add(command)
            return
        self._comers += 1
        try:
            async with self._door:
                while len(self._commands) >= WAITING_MAX:
                    self._left.clear()
                    await self._left.wait()
                self.add(command)
        finally:
            self._comers -= 1

    async def take(self) -> list[Waiting]:
        """Return the first commands, at least one, as many as fit into a batch."""
        await self._filled.wait()
        commands = self._commands
        batch = list(islice(commands, BATCH_COMMANDS_MAX))
        if sum(map(len, map(packed_of, batch))) > BATCH_BYTES_MAX:
            # Seldom: only then is it worth looking where the batch has to end.
            sizes_bytes = list(accumulate(map(len, map(packed_of, batch))))
            del batch[max(1, bisect(sizes_bytes, BATCH_BYTES_MAX)) :]
        if len(batch) == len(commands):
            commands.clear()
        else:
            for _ in batch:
                commands.popleft()
        self._some_left()
        return batch

    def drain(self) -> list[Waiting]:
        """Return everything."""
        drained = list(self._commands)
        self._commands.clear()
        self._some_left()
        return drained

    def _some_left(self) -> None:
        if not self._commands:
            self._filled.clear()
        self._left.set()
