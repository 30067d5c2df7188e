"""The streaming calls of this process: begun, kept alive, left.

Invariant: a stream that was opened is either read by somebody who is still there, or left:
at once when its reader says so or is dropped, and with the client at the latest. A process
that dies leaves by its lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Final

from broker_actors.client.room import Room, publish_at
from broker_actors.client.under_way import CLOSED
from broker_actors.core.call_id import CallId
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import (
    IdempotencyConflictError,
    PlatformError,
    ReplyGoneError,
    StreamTakenOverError,
)
from broker_actors.core.events import Trouble
from broker_actors.core.topology import Layout
from broker_actors.ports.clock import Clock
from broker_actors.ports.control import LOOK_SECONDS, Control, Listener, OnSignal
from broker_actors.ports.observer import Observer
from broker_actors.ports.streams import Opened, Refusal, Streams, Taken

#: What the keys of streaming calls begin with that were given none.
KEY: Final = "s:"
#: How long a client that is closed tries to cancel what it still reads.
LEAVE_SECONDS_MAX: Final = 2.0
#: Values fetched at a time.
TAKE_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Opening:
    """How a stream is begun.

    Attributes:
        envelope: by this envelope.
        declared: to an actor of this declared layout.
        wait_if_full_seconds: how long it may wait for room in a full mailbox.

    """

    envelope: Envelope
    declared: Layout | None
    wait_if_full_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Attended:
    """A stream this process reads, and up to which value it has."""

    call: CallId
    consumer: Listener
    seq: Callable[[], int]


class Streaming:
    """What the readers of one client share."""

    def __init__(
        self, room: Room, streams: Streams, control: Control, clock: Clock, observer: Observer
    ) -> None:
        self._room = room
        self._streams = streams
        self._control = control
        self._clock = clock
        self._observer = observer
        self._attended: dict[str, Attended] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._closed = False

    async def attend(self, call: CallId, on_signal: OnSignal, seq: Callable[[], int]) -> Attended:
        """Let a reader be signalled, and its lease be renewed until it leaves; raises `PlatformError`."""
        token = self._clock.token()
        attended = Attended(call, await self._control.listen(token, on_signal), seq)
        if self._closed:
            raise PlatformError(CLOSED)
        self._attended[token] = attended
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name="leases of streams")
            self._keeping.add_done_callback(self._kept)
        return attended

    async def begin(
        self, attended: Attended, opening: Opening, timeout_seconds: float, fail: Callable[[Exception], None]
    ) -> Opened:
        """Make the stream and send the call; *fail* is told if that fails later.

        Returns:
            Whether the stream was there before.

        Raises:
            IdempotencyConflictError: the key was used for another call.
            PlatformError: the store or the broker is unavailable, or the type unknown.

        """
        layout = await self._room.dispatch.layout(attended.call.address.type, opening.declared)
        envelope, consumer, now_ms = opening.envelope, attended.consumer, self._clock.now_ms()
        opened = await self._streams.open(attended.call, consumer, envelope.digest())
        if isinstance(opened, Refusal):
            text = (
                f"idempotency key {attended.call.key!r} was used for another call to {attended.call.address}"
            )
            raise IdempotencyConflictError("idempotency_conflict", f"{text}: use a new key")
        envelope = replace(
            envelope,
            deadline_ms=now_ms + max(1, round(timeout_seconds * 1000)),
            reply_to=consumer.channel,
            correlation_id=consumer.token,
            sent_seconds=now_ms // 1000,
        )
        place = self._room.place(
            layout.route_to(envelope.address), envelope.address, opening.wait_if_full_seconds
        )
        publishing = publish_at(place, to_wire(envelope))
        self._start(publishing).add_done_callback(lambda done: _tell_failure(done, fail))
        return opened

    async def join(self, attended: Attended) -> None:
        """Become the reader of a stream there is; raises `ReplyGoneError` if there is none."""
        if isinstance(await self._streams.open(attended.call, attended.consumer, b""), Refusal):
            raise ReplyGoneError(f"{attended.call}: the store does not hold this stream, or no more")

    async def take(self, attended: Attended, after: int) -> Taken:
        """Return the values after number *after*, and grant credit.

        Raises:
            ReplyGoneError: they, or the stream, are not kept any more.
            StreamTakenOverError: somebody else reads it now.
            StoreUnavailableError: no answer in time.

        """
        taken = await self._streams.take(attended.call, attended.consumer, after, TAKE_MAX)
        match taken:
            case Taken(wake=wake):
                if wake is not None:
                    await self._control.signal(wake)
                return taken
            case Refusal.FENCED:
                raise StreamTakenOverError(f"{attended.call} was resumed by another consumer")
            case Refusal.DROPPED:
                raise ReplyGoneError(f"{attended.call}: what follows value {after} is not kept any more")
            case Refusal.ENDED:
                raise ReplyGoneError(f"{attended.call} has ended before value {after}, so nothing follows it")
            case _:
                raise ReplyGoneError(f"{attended.call}: the store does not hold this stream any more")

    def leave(self, attended: Attended) -> asyncio.Task[None]:
        """Stop reading, and cancel the generator unless it has ended."""
        self._attended.pop(attended.consumer.token, None)
        self._control.forget(attended.consumer.token)
        return self._start(self._leave(attended))

    def leave_from_anywhere(self, attended: Attended) -> None:
        """Leave from another thread, or where no loop runs."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leave_unless_left, attended)

    async def close(self) -> None:
        """Leave every stream, within `LEAVE_SECONDS_MAX`. Idempotent."""
        self._closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        for attended in list(self._attended.values()):
            self.leave(attended)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=LEAVE_SECONDS_MAX)
            for task in late:
                # Whatever it was to cancel ends by its lease.
                task.cancel()

    def _leave_unless_left(self, attended: Attended) -> None:
        if attended.consumer.token in self._attended:
            self.leave(attended)

    async def _leave(self, attended: Attended) -> None:
        try:
            producer = await self._streams.leave(attended.call, attended.consumer)
        except PlatformError as error:
            self._observer.observe(Trouble(f"cancel of {attended.call}", str(error)))
            return
        if producer is not None:
            await self._control.signal(producer)

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            attended = list(self._attended.values())
            renewals = (self._streams.take(one.call, one.consumer, one.seq(), 0) for one in attended)
            for found in await asyncio.gather(*renewals, return_exceptions=True):
                if isinstance(found, PlatformError):
                    self._observer.observe(Trouble("leases of streams", str(found)))
                elif isinstance(found, Taken) and found.wake is not None:
                    await self._control.signal(found.wake)

    def _kept(self, keeping: asyncio.Task[None]) -> None:
        self._keeping = None
        if not keeping.cancelled() and (error := keeping.exception()) is not None:
            self._observer.observe(Trouble("leases of streams", repr(error)))

    def _start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task


def _tell_failure(done: asyncio.Task[None], fail: Callable[[Exception], None]) -> None:
    if not done.cancelled() and isinstance(error := done.exception(), Exception):
        fail(error)
