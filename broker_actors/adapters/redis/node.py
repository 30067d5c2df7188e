"""Many callers, one server: what is asked in one loop pass leaves in one write.

Callers wait for a future; one task owns the connection. So a cancelled caller disturbs
nobody, and no caller ever reads an answer itself. Whatever was not answered is sent again
until its caller stops waiting, unless the server is one of a cluster: then its caller hears
of it, and asks who else may have the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final, cast

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import (
    MasterDownError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
)
from tenacity import AsyncRetrying, retry_if_result, wait_random_exponential

from broker_actors.adapters.deadlines import Deadlines
from broker_actors.adapters.redis.connection import (
    Answer,
    Link,
    LinkLostError,
    LinkRefusedError,
)
from broker_actors.adapters.redis.queue import Command, Queue, Waiting, packed_of
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import Place, RedisSettings
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import Trouble
from broker_actors.ports.observer import Observer

#: Wait before sending again: random, up to this, doubling from the first to the last.
BACKOFF_FIRST_SECONDS: Final = 0.02
BACKOFF_LAST_SECONDS: Final = 1.0

#: Answers of a server that cannot serve now but may later, or another one at the same address.
_NOT_NOW: Final = (ReadOnlyError, MasterDownError)
#: The same, where the driver has no class for it: a script runs too long, the disk or replicas are missing.
_NOT_NOW_CODES: Final = ("BUSY ", "MISCONF ", "NOREPLICAS ")

_script_of: Final = cast("Callable[[Waiting], Script | None]", attrgetter("script"))


class Node:
    """Runs commands that are safe to repeat on one server, in the order in which they were asked."""

    def __init__(
        self, settings: RedisSettings, observer: Observer, purpose: str, place: Place | None = None
    ) -> None:
        """Prepare without connecting.

        Args:
            settings: which server, unless *place* says so, and its deadlines.
            observer: told about connections and trouble.
            purpose: what it is used for.
            place: host and port of a node of a cluster.

        Raises:
            ConfigurationError: the URL cannot work.

        """
        self._settings = settings
        self._observer = observer
        self._link = Link(settings, observer, purpose, place)
        self._queue = Queue()
        self._deadlines = Deadlines(settings.deadline_seconds)
        self._sending: list[Waiting] = []
        self._loaded: set[Script] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        #: What went wrong last.
        self.trouble = ""
        #: Whether it sends again what got no answer. In a cluster another node may have what this one had.
        self.persists = True
        self._persisting = AsyncRetrying(
            retry=retry_if_result(lambda done: not done),
            wait=wait_random_exponential(multiplier=BACKOFF_FIRST_SECONDS, max=BACKOFF_LAST_SECONDS),
        )

    @property
    def server(self) -> str:
        """Which server and what for, without credentials."""
        return self._link.server

    @property
    def place(self) -> Place | None:
        """Host and port; None for a socket."""
        return self._link.place

    async def close(self) -> None:
        """Stop, fail whoever waits, give up the connection. Idempotent."""
        self._closed = True
        try:
            if (task := self._task) is not None:
                task.cancel()
                # Waits for the task without taking its cancellation for our own.
                await asyncio.wait([task])
        finally:
            self._fail(RedisError("the connection was closed"))
            # Not before: until here somebody may wait, and no longer than its time.
            self._deadlines.close()
            await self._link.close()

    async def ask(self, commands: Sequence[Command]) -> list[Answer]:
        """Run *commands* and return their answers, in order. The caller sets the deadline.

        Raises:
            StoreUnavailableError: it was closed.

        """
        future = asyncio.get_running_loop().create_future
        waiting = [Waiting(command.packed, future(), command.script) for command in commands]
        try:
            for one in waiting:
                await self._queue.put(one)
                self._start()
            return [await one.answer for one in waiting]
        finally:
            # What nobody waits for is not sent again.
            for one in waiting:
                one.answer.cancel()

    def ask_one(self, packed: bytes, script: Script | None) -> asyncio.Future[Answer] | None:
        """Run one command; return what its answer will be, or None if it would have to wait for room.

        What `ask` does under a deadline, without a timer and a coroutine of its own: `TimeoutError` if there
        is no answer within the deadline of the settings. Whoever waits for it is cancelled with it, and
        what nobody waits for is not sent again.

        Raises:
            StoreUnavailableError: it was closed.

        """
        if not self._queue.has_room:
            return None
        self._start()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.add(Waiting(packed, answer, script))
        self._deadlines.watch(answer)
        return answer

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
        for command in (*self._sending, *self._queue.drain()):
            command.settle(error)
        self._sending = []

    async def _pump(self) -> None:
        while True:
            self._sending = await self._queue.take()
            if not await self._attempt():
                await self._go_on()
            self._sending = []

    async def _go_on(self) -> None:
        if self.persists:
            # Ends at the latest when the last caller's deadline has passed.
            await self._persisting(self._attempt)
        for command in self._sending:
            command.settle(RedisConnectionError(self.trouble))

    async def _attempt(self) -> bool:
        """Send what is still waited for; return whether nothing is left to send."""
        batch = [command for command in self._sending if not command.answer.done()]
        if not batch:
            return True
        try:
            answers = await self._exchange(batch)
        except LinkLostError as error:
            self.trouble = str(error)
            return False
        except LinkRefusedError as error:
            answers = [RedisError(str(error))] * len(batch)
        serves = is_done = True
        for command, answer in zip(batch, answers, strict=True):
            if not isinstance(answer, RedisError):
                command.settle(answer)
            elif isinstance(answer, NoScriptError) and command.script is not None:
                # Flushed, or a replica took over: it is loaded with the next attempt.
                self._loaded.discard(command.script)
                is_done = False
            elif _is_not_now(answer):
                self.trouble, serves, is_done = str(answer), False, False
            else:
                command.settle(answer)
        if not serves:
            await self._link.drop(self.trouble)
        return is_done

    async def _exchange(self, batch: list[Waiting]) -> list[Answer]:
        if await self._link.open():
            self._loaded.clear()
        used = set(map(_script_of, batch))
        missing = [script for script in used - self._loaded if script is not None]
        packed = [*(script.load() for script in missing), *map(packed_of, batch)]
        answers = await self._link.exchange(packed, self._settings.attempt_seconds)
        self._loaded.update(missing)
        loading, answers = answers[: len(missing)], answers[len(missing) :]
        self.trouble = next((str(answer) for answer in loading if isinstance(answer, RedisError)), "")
        return answers


def _is_not_now(answer: RedisError) -> bool:
    return isinstance(answer, _NOT_NOW) or str(answer).startswith(_NOT_NOW_CODES)
