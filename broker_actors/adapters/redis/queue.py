"""Commands on their way to the connection: a bounded queue that is emptied in batches."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from typing import Final

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


class Queue:
    """First in, first out."""

    def __init__(self) -> None:
        self._commands: deque[Waiting] = deque()
        self._room = asyncio.Semaphore(WAITING_MAX)
        self._filled = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether `put` returns at once."""
        return not self._room.locked()

    async def put(self, command: Waiting) -> None:
        """Add *command* as soon as there is room."""
        await self._room.acquire()
        self._commands.append(command)
        self._filled.set()

    async def take(self) -> list[Waiting]:
        """Return the first commands, at least one, as many as fit into a batch."""
        await self._filled.wait()
        batch: list[Waiting] = []
        size_bytes = 0
        while self._commands and len(batch) < BATCH_COMMANDS_MAX:
            size_bytes += len(self._commands[0].packed)
            if batch and size_bytes > BATCH_BYTES_MAX:
                break
            batch.append(self._leave())
        return batch

    def drain(self) -> list[Waiting]:
        """Return everything."""
        return [self._leave() for _ in range(len(self._commands))]

    def _leave(self) -> Waiting:
        command = self._commands.popleft()
        self._room.release()
        if not self._commands:
            self._filled.clear()
        return command
