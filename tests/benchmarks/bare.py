"""The bare round trip that an ask is held against.

Publish to a quorum queue without waiting for a confirm; a consumer in another process does
the work, appends the reply to a Redis stream and acknowledges; the caller waits in XREAD
BLOCK. On the fastest drivers at hand, and with nothing of what makes an ask safe: no
deadline, no error replies, no dedup, no lost stream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import aiormq
import msgpack  # type: ignore[import-untyped]
from aiormq import Channel
from aiormq.abc import DeliveredMessage
from redis.asyncio import Redis
from redis.typing import EncodableT, FieldT

from broker_actors.core.topology import ACTORS
from tests.benchmarks.job import Job, Messages, argument
from tests.benchmarks.latency import check, measure_asks
from tests.benchmarks.measuring import Measured, Signals
from tests.benchmarks.raw_aiormq import channel_of

#: About how many replies the stream keeps, as the platform's.
UNREAD_MAX: Final = 10_000
READ_MAX: Final = 256
BLOCK_MS: Final = 1_000


async def serve(job: Job, signals: Signals) -> None:
    """Answer until told to stop."""
    redis = Redis.from_url(job.redis_url, single_connection_client=True)
    async with redis, await aiormq.connect(job.amqp_url) as connection:
        channel = await channel_of(connection)
        await channel.basic_qos(prefetch_count=job.prefetch)
        responder = Responder(channel, redis)
        for queue in job.mailboxes:
            await channel.basic_consume(queue, responder.receive)
        signals.ready()
        with Measured(job.profile):
            await signals.go()
        await channel.close()
        signals.result({})


async def ask(job: Job, signals: Signals) -> None:
    """Make round trips: one at a time, then many."""
    redis = Redis.from_url(job.redis_url, single_connection_client=True)
    async with redis, await aiormq.connect(job.amqp_url) as connection:
        caller = Caller(await channel_of(connection, confirms=False), redis, job)
        try:
            signals.result(await measure_asks(job, signals, caller.one, caller.many))
        finally:
            await redis.delete(caller.stream)


class Responder:
    """Works, replies, acknowledges. Replies that come up during a write leave together in the next."""

    def __init__(self, channel: Channel, redis: Redis) -> None:
        self._channel = channel
        self._redis = redis
        self._unanswered: list[DeliveredMessage] = []
        self._is_writing = False

    async def receive(self, message: DeliveredMessage) -> None:
        """Take a message; whoever comes first writes for all that come meanwhile."""
        self._unanswered.append(message)
        if self._is_writing:
            return
        self._is_writing = True
        while self._unanswered:
            batch, self._unanswered = self._unanswered, []
            await self._reply(batch)
            for each in batch:
                await self._channel.basic_ack(each.delivery_tag or 0, wait=False)
        self._is_writing = False

    async def _reply(self, batch: list[DeliveredMessage]) -> None:
        if len(batch) == 1:
            await self._redis.xadd(*_reply_to(batch[0]), maxlen=UNREAD_MAX)
            return
        pipeline = self._redis.pipeline(transaction=False)
        for message in batch:
            pipeline.xadd(*_reply_to(message), maxlen=UNREAD_MAX)
        await pipeline.execute()


class Caller:
    """Makes round trips."""

    def __init__(self, channel: Channel, redis: Redis, job: Job) -> None:
        #: The stream that replies come by.
        self.stream: Final = f"bare:{job.sender}"
        self._channel = channel
        self._redis = redis
        self._messages = Messages(job)
        self._asked = 0
        self._last: bytes = b"0"
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def one(self, n: int) -> None:
        """Send message *n* and read its reply, with no other under way."""
        await self._publish(n)
        replies: list[bytes] = []
        while not replies:
            replies = [body for _, body in await self._read()]
        check(n, _result(replies[0]))

    async def many(self, n: int) -> None:
        """Send message *n* and wait for its reply, which whoever comes first reads for all."""
        future = self._waiting[await self._publish(n)] = asyncio.get_running_loop().create_future()
        if self._reading is None:
            self._reading = asyncio.create_task(self._deliver())
        check(n, _result(await future))

    async def _deliver(self) -> None:
        while self._waiting:
            for correlation_id, body in await self._read():
                self._waiting.pop(correlation_id).set_result(body)
        self._reading = None

    async def _read(self) -> list[tuple[bytes, bytes]]:
        answer = await self._redis.xread({self.stream: self._last}, count=READ_MAX, block=BLOCK_MS)
        replies = []
        for entry_id, fields in _entries(answer):
            self._last = entry_id
            replies.append((fields[b"c"], fields[b"b"]))
        return replies

    async def _publish(self, n: int) -> bytes:
        self._asked += 1
        correlation_id = str(self._asked)
        await self._channel.basic_publish(
            self._messages.body(n),
            exchange=ACTORS,
            routing_key=self._messages.key(n),
            properties=self._properties(n, correlation_id),
            wait=False,
        )
        return correlation_id.encode()

    def _properties(self, n: int, correlation_id: str) -> aiormq.spec.Basic.Properties:
        return aiormq.spec.Basic.Properties(
            headers=dict(self._messages.headers(n)),
            content_type=self._messages.content_type,
            message_type=self._messages.type,
            correlation_id=correlation_id,
            reply_to=self.stream,
            timestamp=datetime.fromtimestamp(int(time.time()), UTC),
            delivery_mode=2,
        )


def _reply_to(message: DeliveredMessage) -> tuple[str, dict[FieldT, EncodableT]]:
    properties = message.header.properties
    body: bytes = msgpack.packb({"ok": True, "result": argument(message.body)})
    return properties.reply_to or "", {"c": properties.correlation_id or "", "b": body}


def _result(reply: bytes) -> object:
    answer: dict[str, object] = msgpack.unpackb(reply)
    return answer["result"] if answer.get("ok") else answer


def _entries(answer: object) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    assert isinstance(answer, list)
    for _, entries in answer:
        yield from entries
