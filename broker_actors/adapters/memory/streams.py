"""Chunk streams inside the process: the same guarantees as the scripts on Redis, without the wire."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import KEPT_BYTES, KEPT_CHUNKS, Chunk
from broker_actors.ports.clock import Clock
from broker_actors.ports.control import Listener
from broker_actors.ports.streams import (
    KEPT_SECONDS,
    LEASE_SECONDS,
    LEFT_SECONDS,
    Addition,
    Append,
    Begin,
    Begun,
    Open,
    Opened,
    Producer,
    Refusal,
    Standing,
    Take,
    Taken,
)


@dataclass(slots=True)
class _Stream:
    digest: bytes
    consumer: Listener
    until_seconds: float = 0.0
    lease_until_seconds: float = 0.0
    producer: Producer | None = None
    chunks: deque[Chunk] = field(default_factory=deque[Chunk])
    digests: deque[bytes] = field(default_factory=deque[bytes])
    written: int = 0
    dropped: int = 0
    consumed: int = 0
    size_bytes: int = 0
    wake_at: int = 0
    waits: bool = False
    cancelled: bool = False
    ended: bool = False

    def add(self, addition: Addition) -> None:
        """Add a chunk, and drop for it what was consumed and is too much."""
        self.chunks.append(addition.chunk)
        self.digests.append(addition.digest)
        self.written, self.ended = addition.seq, addition.ends
        self.size_bytes += len(addition.chunk.pack())
        while self.dropped < self.consumed and (
            self.written - self.dropped > KEPT_CHUNKS or self.size_bytes > KEPT_BYTES
        ):
            self.size_bytes -= len(self.chunks.popleft().pack())
            self.digests.popleft()
            self.dropped += 1


class MemoryStreams:
    """Implements `ports.streams.Streams`; shared by everything that should see the same streams.

    Every call suspends before and after its effect, as the store's do.
    """

    def __init__(self, store: MemoryStore, clock: Clock, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._streams: dict[CallId, _Stream] = {}
        self._sweep_at_seconds = 0.0

    async def open(self, call: CallId, consumer: Listener, digest: bytes) -> Open:
        """Make the stream of *call*, or join the one there is."""
        await self._step()
        self._expire()
        stream, opened = self._find(call), Opened.KNOWN
        if stream is None and not digest:
            return Refusal.GONE
        if stream is None:
            stream, opened = _Stream(digest, consumer, waits=True), Opened.NEW
            self._streams[call] = stream
        if digest and stream.digest != digest:
            return Refusal.CONFLICT
        stream.consumer = consumer
        self._renew(stream)
        self._keep(stream, KEPT_SECONDS)
        await self._step()
        return opened

    async def take(self, call: CallId, consumer: Listener, after: int, at_most: int) -> Take:
        """Renew the lease, say what is consumed, return what follows."""
        await self._step()
        taken = self._take(call, consumer, after, at_most)
        await self._step()
        return taken

    async def leave(self, call: CallId, consumer: Listener) -> Listener | None:
        """Cancel the stream if it has not ended."""
        await self._step()
        stream, wake = self._find(call), None
        if stream is not None and stream.consumer.token == consumer.token:
            self._keep(stream, LEFT_SECONDS)
            if not stream.ended:
                stream.cancelled = True
                wake = stream.producer.listener if stream.producer else None
        await self._step()
        return wake

    async def begin(self, call: CallId, producer: Producer) -> Begin:
        """Take the stream: every older producer is fenced from now on."""
        await self._step()
        begun = self._begin(call, producer)
        await self._step()
        return begun

    async def append(self, call: CallId, producer: Producer, addition: Addition) -> Append:
        """Add the chunk that follows the last one."""
        await self._step()
        standing = self._append(call, producer, addition)
        await self._step()
        return standing

    async def look(self, call: CallId, producer: Producer, wake_at: int) -> Append:
        """Return how it stands with the consumer; keep the stream."""
        await self._step()
        stream = self._find(call)
        if stream is None:
            return Refusal.GONE
        if not _is_producer(stream, producer):
            return Refusal.FENCED
        stream.wake_at = wake_at
        self._keep(stream, KEPT_SECONDS)
        standing = self._standing(stream)
        await self._step()
        return standing

    async def close(self) -> None:
        """Do nothing: others may share these streams."""
        await self._step()

    def _take(self, call: CallId, consumer: Listener, after: int, at_most: int) -> Take:
        stream = self._find(call)
        if stream is None:
            return Refusal.GONE
        if stream.consumer.token != consumer.token:
            return Refusal.FENCED
        if after < stream.dropped:
            return Refusal.DROPPED
        if at_most and stream.ended and after >= stream.written:
            return Refusal.ENDED
        self._renew(stream)
        self._keep(stream, KEPT_SECONDS)
        stream.consumed = max(stream.consumed, after)
        wake = None
        if 0 < stream.wake_at <= after:
            stream.wake_at = 0
            wake = stream.producer.listener if stream.producer else None
        first = after - stream.dropped
        found = list(stream.chunks)[first : first + at_most]
        if at_most:
            stream.waits = not found
        return Taken(found, wake)

    def _begin(self, call: CallId, producer: Producer) -> Begin:
        stream = self._find(call)
        if stream is None:
            return Refusal.GONE
        if not self._holds(call, producer):
            return Refusal.FENCED
        if stream.ended:
            return Refusal.ENDED
        stream.producer, stream.wake_at = producer, 0
        self._keep(stream, KEPT_SECONDS)
        return Begun(stream.written, list(stream.digests), self._standing(stream))

    def _append(self, call: CallId, producer: Producer, addition: Addition) -> Append:
        stream = self._find(call)
        if stream is None:
            return Refusal.GONE
        if not _is_producer(stream, producer) or not self._holds(call, producer):
            return Refusal.FENCED
        if addition.seq <= stream.written:
            return self._standing(stream)
        if stream.ended:
            return Refusal.ENDED
        assert addition.seq == stream.written + 1, f"chunk {addition.seq} does not follow {stream.written}"
        stream.add(addition)
        self._keep(stream, KEPT_SECONDS)
        wake, stream.waits = stream.consumer if stream.waits else None, False
        return self._standing(stream, wake)

    def _find(self, call: CallId) -> _Stream | None:
        stream = self._streams.get(call)
        return stream if stream and stream.until_seconds > self._clock.monotonic_seconds() else None

    def _holds(self, call: CallId, producer: Producer) -> bool:
        return not producer.nonce or self._store.is_held(call.address, producer.epoch, producer.nonce)

    def _standing(self, stream: _Stream, wake: Listener | None = None) -> Standing:
        silent = stream.lease_until_seconds < self._clock.monotonic_seconds()
        return Standing(stream.consumed, stream.cancelled, silent, wake)

    def _renew(self, stream: _Stream) -> None:
        stream.lease_until_seconds = self._clock.monotonic_seconds() + self._lease_seconds

    def _keep(self, stream: _Stream, seconds: float) -> None:
        stream.until_seconds = self._clock.monotonic_seconds() + seconds

    def _expire(self) -> None:
        now_seconds = self._clock.monotonic_seconds()
        if now_seconds < self._sweep_at_seconds:
            return
        self._sweep_at_seconds = now_seconds + LEFT_SECONDS
        self._streams = {
            call: stream for call, stream in self._streams.items() if stream.until_seconds > now_seconds
        }

    async def _step(self) -> None:
        await self._clock.sleep(0)


def _is_producer(stream: _Stream, producer: Producer) -> bool:
    return stream.producer is not None and stream.producer.listener.token == producer.listener.token
