"""The reading end of one streaming call.

Invariant: asking for value n+1 says that value n is consumed, which is all the credit there
is; what was fetched ahead is bounded by the producer's window.
"""

from __future__ import annotations

import asyncio
from collections import deque

from broker_actors.client.streaming import Attended, Opening, Streaming
from broker_actors.client.under_way import UnderWay
from broker_actors.core import codec, reply
from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import Chunk, Kind, carried
from broker_actors.core.errors import (
    AskTimeoutError,
    ConfigurationError,
    ErrorRecord,
    Plain,
    ReplyGoneError,
    StreamCancelledError,
    revive,
)
from broker_actors.core.reply import Reply
from broker_actors.ports.control import LOOK_SECONDS
from broker_actors.ports.streams import Opened


class Reading:
    """Implements `ports.calling.Values`."""

    def __init__(
        self,
        call: CallId,
        streaming: Streaming,
        under_way: UnderWay,
        timeout_seconds: float,
        *,
        after: int = 0,
        opening: Opening | None = None,
    ) -> None:
        """Prepare to read.

        Args:
            call: which call.
            streaming: what the readers of this client share.
            under_way: the calls of this client.
            timeout_seconds: how long each value may take.
            after: the number of the last value that is not wanted again.
            opening: how the stream is begun; None to read one there is.

        """
        self._call = call
        self._streaming = streaming
        self._under_way = under_way
        self._timeout_seconds = timeout_seconds
        self._opening = opening
        self._place = _Place(after)
        self._fetched: deque[Chunk] = deque()
        self._attended: Attended | None = None
        #: Whether there may be something to take; else its coming is signalled.
        self._may_take = True
        self._failure: Exception | None = None
        self._is_over = False
        #: Whether its reader went away before the end, without closing it.
        self._is_left = False
        self._is_waiting = False

    @property
    def call_id(self) -> str:
        """The name of the call."""
        return str(self._call)

    @property
    def seq(self) -> int:
        """The number of the last value that was returned."""
        return self._place.seq

    async def __anext__(self) -> Plain:
        """Return the next value."""
        if self._is_over:
            if self._is_left:
                raise self._ended_early("was left by its reader, as by `break`, before it ended")
            raise StopAsyncIteration
        if self._is_waiting:
            raise ConfigurationError(f"{self._call} is being read already: one at a time reads a stream")
        self._is_waiting = True
        try:
            chunk = await self._in_time()
        except Exception:
            await self.aclose()
            raise
        finally:
            self._is_waiting = False
        if chunk.kind is Kind.VALUE:
            self._place.seq += 1
            return codec.decode(chunk.body, chunk.content_type)
        await self.aclose()
        result = reply.read(Reply(chunk.body, chunk.content_type))
        if isinstance(result, ErrorRecord):
            raise revive(result)
        if result != self.seq:
            text = (
                f"{self._call} has yielded {result} values, and those after {self.seq} are not kept any more"
            )
            raise ReplyGoneError(text)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Cancel the generator, if it has not ended. Idempotent."""
        attended = self._over()
        # Whoever reads it in another task is told.
        self._place.woken.set()
        if attended is not None:
            # Not ended with whoever waits for it.
            await asyncio.wait([self._streaming.leave(attended)])

    def abandon(self) -> None:
        """Cancel the generator without waiting. Safe to call from any thread. Idempotent."""
        self._is_left = self._is_left or not self._is_over
        attended = self._over()
        if attended is not None:
            self._streaming.leave_from_anywhere(attended)

    def __del__(self) -> None:
        """Cancel what nobody can read any more."""
        self.abandon()

    def _over(self) -> Attended | None:
        self._is_over = True
        attended, self._attended = self._attended, None
        return attended

    async def _in_time(self) -> Chunk:
        deadline = asyncio.timeout(self._timeout_seconds)
        try:
            async with deadline:
                return await self._under_way.until_closed(self._next)
        except TimeoutError:
            if not deadline.expired():
                raise
            opening, call = self._opening, str(self._call)
            what = (
                call if opening is None else f"{opening.envelope.address}.{opening.envelope.method} ({call})"
            )
            text = f"{what} yielded nothing within {self._timeout_seconds:g} s, and is cancelled"
            raise AskTimeoutError(text) from None

    async def _next(self) -> Chunk:
        attended = self._attended or await self._begin()
        while not self._fetched:
            self._check_read()
            if (chunk := self._place.next_carried()) is not None:
                return chunk
            if self._may_take:
                # Before it is asked for, so that a signal between is not lost.
                self._place.woken.clear()
                self._fetched.extend((await self._streaming.take(attended, self.seq)).chunks)
            if not self._fetched:
                await _wait(self._place.woken, LOOK_SECONDS)
                self._may_take = True
        self._check_read()
        return self._fetched.popleft()

    def _check_read(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._is_over:
            raise self._ended_early("was closed by another task while it was read")

    def _ended_early(self, how: str) -> StreamCancelledError:
        text = f"{self._call} {how}: of what follows value {self.seq} nothing arrives; call again"
        return StreamCancelledError(text, recoverable=False)

    async def _begin(self) -> Attended:
        attended = await self._streaming.attend(self._call, self._place.signalled, self._place.read)
        try:
            if self._opening is None:
                await self._streaming.join(attended)
            else:
                begun = self._streaming.begin(attended, self._opening, self._timeout_seconds, self._failed)
                self._may_take = await begun is Opened.KNOWN
        except BaseException:
            # It may be open all the same.
            self._streaming.leave(attended)
            raise
        if self._is_over:
            self._streaming.leave(attended)
        else:
            self._attended = attended
        return attended

    def _failed(self, error: Exception) -> None:
        self._failure = error
        self._place.woken.set()


class _Place:
    """How far a reader is, and what is signalled to it; known to others without holding the reader."""

    __slots__ = ("_carried", "seq", "woken")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.woken = asyncio.Event()
        #: What came with a signal, and its number.
        self._carried: tuple[int, Chunk] | None = None

    def read(self) -> int:
        return self.seq

    def signalled(self, data: bytes) -> None:
        self._carried = carried(data) or self._carried
        self.woken.set()

    def next_carried(self) -> Chunk | None:
        """Return the next chunk if it came with a signal; it may have been taken since."""
        seq, chunk = self._carried or (0, None)
        self._carried = None
        return chunk if seq == self.seq + 1 else None


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        # Time to look without having been told.
        return
