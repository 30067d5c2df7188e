"""One run of a generator: its values into the chunk stream, its consumer's wishes back to it.

Invariants: the generator takes a step only while its consumer has credit left, and only once
the chunk before is durable; all its steps run in the task of the turn; it is closed on
every way out. A second task looks after the consumer while a step takes its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import Chunk, Course, Verdict, Window
from broker_actors.core.errors import (
    PlatformError,
    StreamCancelledError,
    StreamDivergedError,
)
from broker_actors.core.events import Trouble
from broker_actors.core.turn import Fenced, Lost
from broker_actors.ports.control import LOOK_SECONDS, Listener
from broker_actors.ports.streams import Addition, Begun, Producer, Refusal, Standing
from broker_actors.runtime.interruption import TurnInterruptedError
from broker_actors.runtime.services import Services
from broker_actors.runtime.waking import Waking

T = TypeVar("T")

#: How long a generator may take to end once it is cancelled; then it is cancelled again.
CLOSE_SECONDS_MAX: Final = 5.0


class Production:
    """One turn's way into its stream."""

    def __init__(self, call: CallId, services: Services, claim: tuple[int, str], caller: str) -> None:
        self._call = call
        self._services = services
        self._token = services.clock.token()
        self._producer = Producer(*claim, Listener("", self._token), caller)
        self._window = Window()
        self._waking = Waking(services.control)
        self._stalled = False
        #: Something may have changed at the other end, or here.
        self._poked = asyncio.Event()
        #: The other end was looked at.
        self._looked = asyncio.Event()
        self._silent_since_seconds: float | None = None
        #: Why the generator is to stop.
        self._stop: Exception | None = None

    async def begin(self) -> Begun | None:
        """Become the producer; return None if nobody wants anything more of this stream.

        Raises:
            StreamCancelledError: its consumer has left it.
            TurnInterruptedError: somebody else holds the actor, or the store does not answer.

        """
        listening = self._services.control.listen(self._token, lambda _: self._poked.set())
        self._producer = replace(self._producer, listener=await _known(listening))
        begun = await _known(self._services.streams.begin(self._call, self._producer))
        if isinstance(begun, Begun) and begun.standing.silent:
            # It may only have been kept from renewing its lease.
            await self._services.clock.sleep(LOOK_SECONDS)
            begun = await _known(self._services.streams.begin(self._call, self._producer))
        match begun:
            case Begun(standing=standing):
                if standing.cancelled or standing.silent:
                    raise self._unread("its consumer has left it before it began")
                self._window = Window(standing.consumed)
                return begun
            case Refusal.FENCED:
                raise TurnInterruptedError(Fenced())
            case _:
                return None

    async def run(
        self, values: AsyncGenerator[object], course: Course, encoded: Callable[[object], Chunk]
    ) -> int:
        """Write what *values* yields, as long as somebody reads it; return how many values that were.

        Raises:
            StreamCancelledError: nobody reads it any more.
            StreamDivergedError: it is not what was written before.
            TurnInterruptedError: see `begin`.
            Exception: what the generator raises, or cannot be sent of what it yields.

        """
        for seq in range(self._window.consumed_seq + 1, course.seq + 1):
            # Of the run before; how large they were is not known.
            self._window.wrote(seq, 0)
        hard, soft = asyncio.timeout(None), asyncio.timeout(None)
        watching = asyncio.create_task(self._watch(soft, hard), name=f"consumer of {self._call}")
        try:
            async with hard, soft:
                await self._pump(values, course, encoded)
        except TimeoutError:
            if self._stop is None or not soft.expired():
                raise
            raise self._stop from None
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await self._waking.settle()
        if course.is_short:
            raise self._diverged(course.seq + 1)
        return course.seq

    async def end(self, last: Chunk) -> bool:
        """Write the last chunk, unless the stream has one; return whether the stream has ended.

        Raises:
            PlatformError: the store does not answer.

        """
        streams = self._services.streams
        # Again also after a run: the answer may be for a call that ran elsewhere.
        begun = await streams.begin(self._call, self._producer)
        if not isinstance(begun, Begun):
            return begun is not Refusal.FENCED
        addition = Addition(begun.written + 1, b"", last, ends=True)
        standing = await streams.append(self._call, self._producer, addition)
        if not isinstance(standing, Standing):
            return standing is not Refusal.FENCED
        if standing.wake is not None:
            await self._services.control.signal(standing.wake)
        return True

    def close(self) -> None:
        """Listen no longer. Idempotent."""
        self._services.control.forget(self._token)

    async def _pump(
        self, values: AsyncGenerator[object], course: Course, encoded: Callable[[object], Chunk]
    ) -> None:
        try:
            while True:
                await self._credit()
                try:
                    value = await anext(values)
                except StopAsyncIteration:
                    return
                if self._stop is not None:
                    # It swallowed its cancellation.
                    raise self._stop
                await self._put(encoded(value), course)
        finally:
            await values.aclose()

    async def _credit(self) -> None:
        while not self._window.is_open:
            self._stalled = True
            self._looked.clear()
            self._poked.set()
            await self._looked.wait()
        self._stalled = False

    async def _put(self, chunk: Chunk, course: Course) -> None:
        verdict, digest = course.judge(chunk)
        self._window.wrote(course.seq, len(chunk.body))
        match verdict:
            case Verdict.SKIP:
                # A generator that never waits must let others run all the same.
                await asyncio.sleep(0)
            case Verdict.DIVERGED:
                raise self._diverged(course.seq)
            case Verdict.WRITE:
                addition = Addition(course.seq, digest, chunk)
                self._take_note(
                    await _known(self._services.streams.append(self._call, self._producer, addition))
                )

    def _take_note(self, standing: Standing | Refusal) -> None:
        match standing:
            case Standing(wake=wake):
                self._note(standing)
                if wake is not None:
                    # Not waited for: what is signalled is in the store already.
                    self._waking.wake(wake)
            case Refusal.GONE:
                self._stop = self._stop or self._unread("the store does not hold it any more")
            case _:
                raise TurnInterruptedError(Fenced())
        if self._stop is not None:
            raise self._stop

    async def _watch(self, soft: asyncio.Timeout, hard: asyncio.Timeout) -> None:
        """Look after the consumer until it wants nothing more, then stop the generator."""
        try:
            while self._stop is None:
                await _signal(self._poked, LOOK_SECONDS)
                self._poked.clear()
                await self._look()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must not go on unwatched
            self._stop = error
        now_seconds = asyncio.get_running_loop().time()
        hard.reschedule(now_seconds + CLOSE_SECONDS_MAX)
        soft.reschedule(now_seconds)

    async def _look(self) -> None:
        wake_at = self._window.wake_at if self._stalled else 0
        try:
            standing = await self._services.streams.look(self._call, self._producer, wake_at)
        except PlatformError as error:
            # A consumer could not renew its lease either.
            self._silent_since_seconds = None
            self._services.observer.observe(Trouble(f"consumer of {self._call}", str(error)))
            return
        match standing:
            case Standing():
                self._note(standing)
            case Refusal.GONE:
                self._stop = self._unread("the store does not hold it any more")
            case _:
                self._stop = TurnInterruptedError(Fenced())
        self._looked.set()

    def _note(self, standing: Standing) -> None:
        self._window.consumed(standing.consumed)
        now_seconds = self._services.clock.monotonic_seconds()
        if not standing.silent:
            self._silent_since_seconds = None
        elif self._silent_since_seconds is None:
            # It may only have been kept from renewing its lease: it has until the next look.
            self._silent_since_seconds = now_seconds
        elif now_seconds - self._silent_since_seconds >= LOOK_SECONDS:
            self._stop = self._stop or self._unread("its consumer has not been heard of for too long")
        if standing.cancelled:
            self._stop = self._stop or self._unread("its consumer has left it")

    def _unread(self, why: str) -> StreamCancelledError:
        return StreamCancelledError(f"{self._call} was cancelled: {why}", recoverable=False)

    def _diverged(self, seq: int) -> StreamDivergedError:
        text = (
            f"{self._call} was run again after its worker died, and value {seq} is not what it was: "
            "yield the same for the same arguments and state, or declare resumable=True and go on after "
            "turn.current().resume_from"
        )
        return StreamDivergedError(text, recoverable=False)


async def _known(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except PlatformError as error:
        raise TurnInterruptedError(Lost(), str(error)) from error


async def _signal(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        # Time to look without having been told.
        return
