"""Many callers, one connection: what is asked in one loop pass leaves in one write.

Callers wait for a future; one task owns the connection. So a cancelled caller disturbs
nobody, and no caller ever reads an answer itself. Whatever was not answered is sent again
until its caller stops waiting: every command given to a batcher must be safe to repeat.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from tenacity import AsyncRetrying, retry_if_result, wait_random_exponential

from broker_actors.adapters.redis.connection import (
    Answer,
    Arg,
    Link,
    LinkLostError,
    LinkRefusedError,
    pack,
)
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import Trouble
from broker_actors.ports.observer import Observer

#: Commands that may wait for their turn; callers beyond it wait for room, within their deadline.
WAITING_MAX: Final = 10_000
#: Commands and bytes in one write; a command of more bytes goes alone.
BATCH_COMMANDS_MAX: Final = 512
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
#: Wait before sending again: random, up to this, doubling from the first to the last.
BACKOFF_FIRST_SECONDS: Final = 0.02
BACKOFF_LAST_SECONDS: Final = 1.0

#: Answers of a server that cannot serve now but may later, or another one at the same address.
_NOT_NOW: Final = (ReadOnlyError, MasterDownError, ClusterDownError, TryAgainError)
#: The same, where the driver has no class for it: a script runs too long, the disk or replicas are missing.
_NOT_NOW_CODES: Final = ("BUSY ", "MISCONF ", "NOREPLICAS ")


@dataclass(slots=True, eq=False)
class _Waiting:
    """A command and who waits for its answer."""

    packed: bytes
    answer: asyncio.Future[Answer]
    script: Script | None = None

    def settle(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class Batcher:
    """Runs commands that are safe to repeat, in the order in which they were asked."""

    def __init__(self, settings: RedisSettings, observer: Observer, purpose: str) -> None:
        self._settings = settings
        self._observer = observer
        self._link = Link(settings, observer, purpose)
        self._queue: deque[_Waiting] = deque()
        self._room = asyncio.Semaphore(WAITING_MAX)
        self._asked = asyncio.Event()
        self._sending: list[_Waiting] = []
        self._loaded: set[Script] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._trouble = ""
        self._persisting = AsyncRetrying(
            retry=retry_if_result(lambda done: not done),
            wait=wait_random_exponential(multiplier=BACKOFF_FIRST_SECONDS, max=BACKOFF_LAST_SECONDS),
        )

    async def call(self, *args: Arg) -> Answer:
        """Run one command and return its answer, an error of the server included.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        return (await self.call_all([args]))[0]

    async def call_all(self, commands: Sequence[tuple[Arg, ...]]) -> list[Answer]:
        """Run *commands* and return their answers, in order; raises what `call` raises."""
        future = asyncio.get_running_loop().create_future
        return await self._ask([_Waiting(pack(*args), future()) for args in commands])

    async def run(self, script: Script, keys: tuple[str, ...], *args: Arg) -> Answer:
        """Run *script* and return its answer; raises what `call` raises."""
        packed = script.call(keys, args)
        return (await self._ask([_Waiting(packed, asyncio.get_running_loop().create_future(), script)]))[0]

    async def close(self) -> None:
        """Stop, fail whoever waits, give up the connection. Idempotent."""
        self._closed = True
        if (task := self._task) is not None:
            task.cancel()
            # Waits for the task without taking its cancellation for our own.
            await asyncio.wait([task])
        self._fail(RedisError("the connection was closed"))
        await self._link.close()

    async def _ask(self, commands: list[_Waiting]) -> list[Answer]:
        self._start()
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                for command in commands:
                    await self._room.acquire()
                    command.answer.add_done_callback(self._leave)
                    self._queue.append(command)
                    self._asked.set()
                return [await command.answer for command in commands]
        except TimeoutError as error:
            text = (
                f"no answer from {self._link.server} within {self._settings.deadline_seconds:g} s"
                f"{f' ({self._trouble})' if self._trouble else ''}: is it running and reachable?"
            )
            raise StoreUnavailableError(text) from error
        finally:
            # What nobody waits for is not sent again.
            for command in commands:
                command.answer.cancel()

    def _leave(self, _: asyncio.Future[Answer]) -> None:
        self._room.release()

    def _start(self) -> None:
        if self._closed:
            raise StoreUnavailableError(f"the connection to {self._link.server} was closed")
        if self._task is None:
            self._task = asyncio.create_task(self._pump(), name=self._link.server)
            self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._observer.observe(Trouble(self._link.server, repr(error)))
        self._fail(RedisError(f"the connection's task failed: {error!r}"))

    def _fail(self, error: RedisError) -> None:
        for command in (*self._sending, *self._queue):
            command.settle(error)
        self._sending = []
        self._queue.clear()

    async def _pump(self) -> None:
        while True:
            await self._asked.wait()
            self._sending = self._take()
            if not await self._attempt():
                # Ends at the latest when the last caller's deadline has passed.
                await self._persisting(self._attempt)
            self._sending = []

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size_bytes = 0
        while self._queue and len(batch) < BATCH_COMMANDS_MAX:
            size_bytes += len(self._queue[0].packed)
            if batch and size_bytes > BATCH_BYTES_MAX:
                break
            batch.append(self._queue.popleft())
        if not self._queue:
            self._asked.clear()
        return batch

    async def _attempt(self) -> bool:
        """Send what is still waited for; return whether nothing is left to send."""
        batch = [command for command in self._sending if not command.answer.done()]
        if not batch:
            return True
        try:
            answers = await self._exchange(batch)
        except LinkLostError as error:
            self._trouble = str(error)
            return False
        except LinkRefusedError as error:
            answers = [RedisError(str(error))] * len(batch)
        for command, answer in zip(batch, answers, strict=True):
            await self._settle(command, answer)
        return all(command.answer.done() for command in batch)

    async def _exchange(self, batch: list[_Waiting]) -> list[Answer]:
        if await self._link.open():
            self._loaded.clear()
        missing = {command.script for command in batch if command.script} - self._loaded
        packed = [*(script.load() for script in missing), *(command.packed for command in batch)]
        answers = await self._link.exchange(packed, self._settings.attempt_seconds)
        self._loaded |= missing
        return answers[len(missing) :]

    async def _settle(self, command: _Waiting, answer: Answer) -> None:
        match answer:
            case NoScriptError() if command.script is not None:
                # Flushed, or a replica took over: it is loaded with the next attempt.
                self._loaded.discard(command.script)
            case RedisError() if isinstance(answer, _NOT_NOW) or str(answer).startswith(_NOT_NOW_CODES):
                self._trouble = str(answer)
                await self._link.drop(str(answer))
            case _:
                command.settle(answer)
