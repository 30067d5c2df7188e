"""Chunk streams on Redis: a hash of how it stands, a list of chunks, a list of their digests."""

from __future__ import annotations

from typing import Final

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Answer, Arg
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.replies import UNREAD_MAX
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.slots import is_elsewhere
from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import CARRIED_BYTES_MAX, KEPT_BYTES, KEPT_CHUNKS, Chunk
from broker_actors.ports.control import SIGNAL, Listener
from broker_actors.ports.observer import Observer
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

_OK: Final = "OK"
_KEPT_MS: Final = KEPT_SECONDS * 1000


class RedisStreams:
    """Implements `ports.streams.Streams`. Opens its connection with the first stream."""

    def __init__(
        self, settings: RedisSettings, observer: Observer, *, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._batcher = Batcher(settings, observer, "streams")
        self._keys = Keys(settings.prefix)
        self._lease_ms = round(lease_seconds * 1000)
        self._open = Script.named("stream_open")
        self._take = Script.named("stream_take")
        self._leave = Script.named("stream_leave")
        self._begin = Script.named("stream_begin")
        self._append = Script.named("stream_append")
        self._look = Script.named("stream_look")
        #: Whether a script may write to reply channels, as far as is known: their keys are in other slots.
        self._has_channels = True

    async def open(self, call: CallId, consumer: Listener, digest: bytes) -> Open:
        """Make the stream of *call*, or join the one there is."""
        args = (consumer.channel, consumer.token, digest, self._lease_ms, _KEPT_MS)
        answer = to_bytes(await self._run(self._open, call, *args)).decode()
        return Opened[answer] if answer in Opened.__members__ else Refusal[answer]

    async def take(self, call: CallId, consumer: Listener, after: int, at_most: int) -> Take:
        """Renew the lease, say what is consumed, return what follows."""
        args = (consumer.token, after, at_most, self._lease_ms, _KEPT_MS)
        answer = to_list(await self._run(self._take, call, *args))
        if (refusal := _refusal(answer)) is not None:
            return refusal
        return Taken([Chunk.unpack(to_bytes(one)) for one in answer[3:]], _listener(answer[1:3]))

    async def leave(self, call: CallId, consumer: Listener) -> Listener | None:
        """Cancel the stream if it has not ended."""
        answer = await self._run(self._leave, call, consumer.token, LEFT_SECONDS * 1000)
        return _listener(to_list(answer))

    async def begin(self, call: CallId, producer: Producer) -> Begin:
        """Take the stream: every older producer is fenced from now on."""
        listener = producer.listener
        args = (producer.epoch, producer.nonce, listener.token, listener.channel, _KEPT_MS)
        keys = (*self._keys.stream(call), self._keys.actor(call.address))
        answer = to_list(await self._batcher.run(self._begin, keys, *args))
        if (refusal := _refusal(answer)) is not None:
            return refusal
        digests = [to_bytes(digest) for digest in answer[5:]]
        return Begun(to_int(answer[4]), digests, _standing(answer[:4]))

    async def append(self, call: CallId, producer: Producer, addition: Addition) -> Append:
        """Add the chunk that follows the last one."""
        caller = producer.caller if self._has_channels else ""
        keys = [*self._keys.stream(call), self._keys.actor(call.address)]
        if caller:
            keys.append(self._keys.reply(caller))
        args = (
            *(producer.epoch, producer.nonce, producer.listener.token),
            *(addition.seq, addition.digest, addition.chunk.pack(), int(addition.ends)),
            *(KEPT_CHUNKS, KEPT_BYTES, _KEPT_MS, caller, UNREAD_MAX, SIGNAL, CARRIED_BYTES_MAX),
        )
        answer = await self._batcher.run(self._append, keys, *args)
        if caller and is_elsewhere(answer):
            self._has_channels = False
            return await self.append(call, producer, addition)
        answers = to_list(answer)
        return _refusal(answers) or _standing(answers)

    async def look(self, call: CallId, producer: Producer, wake_at: int) -> Append:
        """Return how it stands with the consumer; keep the stream."""
        answer = to_list(await self._run(self._look, call, producer.listener.token, wake_at, _KEPT_MS))
        return _refusal(answer) or _standing(answer)

    async def close(self) -> None:
        """Give up the connection. Idempotent."""
        await self._batcher.close()

    async def _run(self, script: Script, call: CallId, *args: Arg) -> Answer:
        return await self._batcher.run(script, self._keys.stream(call), *args)


def _refusal(answer: list[Answer]) -> Refusal | None:
    word = to_bytes(answer[0]).decode()
    return None if word == _OK else Refusal[word]


def _standing(answer: list[Answer]) -> Standing:
    consumed, cancelled, silent = (to_int(one) for one in answer[1:4])
    return Standing(consumed, cancelled == 1, silent == 1, _listener(answer[4:6]))


def _listener(answer: list[Answer]) -> Listener | None:
    channel, token = (to_bytes(one).decode() for one in answer) if answer else ("", "")
    return Listener(channel, token) if token else None
