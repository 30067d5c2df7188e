"""The reader of a reply channel outlives whatever happens to its connection and its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.redis import channel
from broker_actors.adapters.redis.replies import RedisReplies
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.events import ReplyIgnored, Trouble
from broker_actors.core.reply import Reply
from tests.conformance.stores import HANG_SECONDS, Events, Inbox
from tests.integration.redis.proxy import proxy_to
from tests.servers import RedisServer

KEY = "ba:reply:client"


class Client:
    """An open channel, a worker that answers, and a look at the stream behind them."""

    def __init__(self, worker: RedisReplies, redis: Redis, events: Events) -> None:
        self.worker = worker
        self.redis = redis
        self.events = events
        self.inbox = Inbox()

    async def answer(self, *correlation_ids: str) -> None:
        for correlation_id in correlation_ids:
            assert await self.worker.send("client", correlation_id, Reply(b"body")) is True

    async def arrived(self, *correlation_ids: str) -> None:
        await self.inbox.wait_for(replies=len(correlation_ids))
        assert self.inbox.ids == list(correlation_ids)


@asynccontextmanager
async def client_of(url: str, *, ttl_seconds: float = 60.0, beside: str = "") -> AsyncIterator[Client]:
    """Open a channel on *url*; the worker goes to *beside* if given."""
    events = Events()
    client = RedisReplies(RedisSettings(url, channel_ttl_seconds=ttl_seconds), events)
    worker = RedisReplies(RedisSettings(beside or url), Events())
    async with Redis.from_url(beside or url) as redis:
        at = Client(worker, redis, events)
        try:
            await client.open("client", at.inbox.on_reply, at.inbox.on_loss)
            yield at
        finally:
            await client.close()
            await worker.close()


async def test_the_reader_resumes_after_the_server_restarts(redis_server: RedisServer) -> None:
    async with client_of(redis_server.url) as at:
        await at.answer("1", "2")
        await at.arrived("1", "2")
        await asyncio.to_thread(redis_server.kill)
        await asyncio.to_thread(redis_server.restart)
        await at.answer("3", "4")
        await at.arrived("1", "2", "3", "4")
        assert at.inbox.losses == 0


async def test_a_server_that_comes_back_empty_is_a_loss(redis_server: RedisServer) -> None:
    async with client_of(redis_server.url) as at:
        await at.answer("1")
        await at.arrived("1")
        async with Redis.from_url(redis_server.url) as redis:
            await redis.flushall()
        await asyncio.to_thread(redis_server.kill)
        await asyncio.to_thread(redis_server.restart)
        await at.inbox.wait_for(losses=1)
        await at.answer("2")
        await at.arrived("1", "2")
        assert at.inbox.losses == 1


async def test_a_reader_in_a_black_hole_reconnects_and_misses_nothing(redis_url: str) -> None:
    async with (
        proxy_to(redis_url) as (proxy, proxied),
        client_of(proxied, ttl_seconds=3, beside=redis_url) as at,
    ):
        await at.answer("1")
        await at.arrived("1")
        reader = proxy.pipes[-1]
        reader.swallow_answers()
        await at.answer("2", "3")
        await at.arrived("1", "2", "3")
        assert (reader.swallowed.is_set(), at.inbox.losses) == (True, 0)


async def test_entries_anybody_forged_do_not_stop_the_reader(redis_url: str) -> None:
    async with client_of(redis_url) as at:
        forged: list[dict[bytes, bytes]] = [
            {b"x": b"y"},
            {b"c": b"1"},
            {b"c": b"\xff", b"t": b"t", b"b": b"b"},
            {b"c": b"1", b"t": b"\xff\xfe", b"b": b"b"},
            {b"": b""},
        ]
        for fields in forged:
            await at.redis.xadd(KEY, fields)  # type: ignore[arg-type] # its key type is invariant
        await at.answer("real")
        await at.arrived("real")
        ignored = [event for event in at.events.seen if isinstance(event, ReplyIgnored)]
        assert len(ignored) == len(forged)


async def test_a_key_of_another_type_is_no_channel_and_is_replaced(redis_url: str) -> None:
    async with client_of(redis_url, ttl_seconds=1.5) as at:
        await at.redis.set(KEY, "not a stream")
        assert await at.worker.send("client", "1", Reply(b"body")) is False
        await at.inbox.wait_for(losses=1)
        await at.answer("2")
        await at.arrived("2")


async def test_a_stream_older_than_what_was_read_is_a_loss_and_is_read_on(redis_url: str) -> None:
    async with client_of(redis_url, ttl_seconds=1.5) as at:
        await at.answer("1")
        await at.arrived("1")
        async with at.redis.pipeline(transaction=True) as back_in_time:
            back_in_time.delete(KEY)
            back_in_time.xadd(KEY, {b"hello": b""}, id="1-1")
            await back_in_time.execute()
        await at.inbox.wait_for(losses=1)
        await at.redis.xadd(KEY, {b"c": b"2", b"t": b"t", b"b": b"b"}, id="1-2")
        await at.arrived("1", "2")


async def test_a_callback_that_raises_does_not_stop_the_reader(redis_url: str) -> None:
    events, inbox = Events(), Inbox()
    replies = RedisReplies(RedisSettings(redis_url), events)

    def on_reply(correlation_id: str, reply: Reply) -> None:
        if correlation_id == "bad":
            raise ZeroDivisionError
        inbox.on_reply(correlation_id, reply)

    await replies.open("client", on_reply, inbox.on_loss)
    for correlation_id in ("1", "bad", "2"):
        await replies.send("client", correlation_id, Reply(b"body"))
    await inbox.wait_for(replies=2)
    assert inbox.ids == ["1", "2"]
    assert [event for event in events.seen if isinstance(event, Trouble)] != []
    await replies.close()


async def test_a_channel_whose_client_died_goes_by_itself(redis_url: str) -> None:
    async with client_of(redis_url, ttl_seconds=30) as at:
        assert 25_000 < await at.redis.pttl(KEY) <= 30_000


async def test_a_channel_whose_client_lives_is_renewed(redis_url: str) -> None:
    async with client_of(redis_url, ttl_seconds=2) as at:
        for n in range(25):
            await at.answer(str(n))
            await asyncio.sleep(0.1)
        await at.arrived(*(str(n) for n in range(25)))
        assert at.inbox.losses == 0


async def test_what_was_read_is_trimmed(redis_url: str) -> None:
    async with client_of(redis_url) as at:
        for start in range(0, 3000, 500):
            await asyncio.gather(*(at.answer(str(n)) for n in range(start, start + 500)))
        await at.inbox.wait_for(replies=3000)
        async with asyncio.timeout(HANG_SECONDS):
            while await at.redis.xlen(KEY) > 1500:  # noqa: ASYNC110 - trimming tells nobody
                await asyncio.sleep(0.01)


async def test_long_entries_are_given_up_soon_after_they_were_read(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not because it is time.
    monkeypatch.setattr(channel, "KEEP_SECONDS_MAX", 10 * HANG_SECONDS)
    monkeypatch.setattr(channel, "KEEPS_WITHIN_TTL", 1)
    async with client_of(redis_url, ttl_seconds=10 * HANG_SECONDS) as at:
        size_bytes = channel.UNTRIMMED_BYTES_MAX // 4
        for n in range(6):
            await at.worker.send("client", str(n), Reply(b"x" * size_bytes))
            await at.inbox.wait_for(replies=n + 1)
        assert await at.redis.xlen(KEY) <= 4
