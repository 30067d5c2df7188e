"""A chunk that signals its reader in the write that adds it, where the server has the channels, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.replies import RedisReplies
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.streams import RedisStreams
from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import CARRIED_BYTES_MAX, Chunk, Kind
from broker_actors.core.envelope import MSGPACK
from broker_actors.core.reply import Reply
from broker_actors.ports.control import Listener
from broker_actors.ports.streams import Addition, Opened, Producer, Standing
from tests.conformance.stores import Events, Inbox, actor

CALL = CallId(actor(), "s:1")
READER = Listener("reader's", "r1")
WRITER = Producer(0, "", Listener("worker's", "w1"), caller="reader's")


def signal_of(seq: int) -> tuple[str, Reply]:
    return ("signal:r1", Reply(b"%d:" % seq + value_of(seq).pack(), ""))


def value_of(seq: int) -> Chunk:
    return Chunk(Kind.VALUE, b"%d" % seq, MSGPACK)


@pytest.fixture
async def replies(redis_url: str) -> AsyncIterator[RedisReplies]:
    replies = RedisReplies(RedisSettings(redis_url), Events())
    yield replies
    await replies.close()


@pytest.fixture
async def streams(redis_url: str) -> AsyncIterator[RedisStreams]:
    async with AsyncExitStack() as stack:
        streams = RedisStreams(RedisSettings(redis_url), Events())
        stack.push_async_callback(streams.close)
        assert await streams.open(CALL, READER, b"call") is Opened.NEW
        await streams.begin(CALL, WRITER)
        yield streams


async def added(streams: RedisStreams, seq: int) -> Standing:
    standing = await streams.append(CALL, WRITER, Addition(seq, b"digest", value_of(seq)))
    assert isinstance(standing, Standing)
    return standing


async def listening(replies: RedisReplies, name: str) -> Inbox:
    inbox = Inbox()
    await replies.open(name, inbox.on_reply, inbox.on_loss)
    return inbox


async def test_who_waits_is_signalled_with_the_chunk_and_named_no_more(
    streams: RedisStreams, replies: RedisReplies
) -> None:
    inbox = await listening(replies, "reader's")
    assert (await added(streams, 1)).wake is None
    await inbox.wait_for(replies=1)
    assert inbox.replies == [signal_of(1)]


async def test_who_does_not_wait_is_not_signalled(streams: RedisStreams, replies: RedisReplies) -> None:
    inbox = await listening(replies, "reader's")
    for seq in (1, 2, 3):
        await added(streams, seq)
    await streams.take(CALL, READER, 3, 1)
    await added(streams, 4)
    await inbox.wait_for(replies=2)
    await replies.send("reader's", "last", Reply(b""))
    await inbox.wait_for(replies=3)
    assert [correlation_id for correlation_id, _ in inbox.replies] == ["signal:r1", "signal:r1", "last"]


async def test_a_chunk_that_is_added_again_signals_nobody_again(
    streams: RedisStreams, replies: RedisReplies
) -> None:
    inbox = await listening(replies, "reader's")
    for _ in range(2):
        assert (await added(streams, 1)).wake is None
    await replies.send("reader's", "last", Reply(b""))
    await inbox.wait_for(replies=2)
    assert inbox.replies[0] == signal_of(1)


async def test_a_large_chunk_is_signalled_and_does_not_go_along(
    streams: RedisStreams, replies: RedisReplies
) -> None:
    inbox = await listening(replies, "reader's")
    large = Chunk(Kind.VALUE, b"x" * CARRIED_BYTES_MAX, MSGPACK)
    await streams.append(CALL, WRITER, Addition(1, b"digest", large))
    await inbox.wait_for(replies=1)
    assert inbox.replies == [("signal:r1", Reply(b"", ""))]


async def test_a_reader_that_is_not_the_caller_is_named(streams: RedisStreams, replies: RedisReplies) -> None:
    inbox, heir = await listening(replies, "reader's"), Listener("heir's", "h1")
    await streams.open(CALL, heir, b"")
    await streams.take(CALL, heir, 0, 1)
    assert (await added(streams, 1)).wake == heir
    await replies.send("reader's", "last", Reply(b""))
    await inbox.wait_for(replies=1)
    assert inbox.replies == [("last", Reply(b""))]


async def test_another_programs_key_in_place_of_the_channel_keeps_no_chunk_from_being_added(
    streams: RedisStreams, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set(Keys("ba").reply("reader's"), "not a stream")
    assert (await added(streams, 1)).wake == READER
