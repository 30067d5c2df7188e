"""Every adapter of chunk streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.memory.streams import MemoryStreams
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.adapters.redis.streams import RedisStreams
from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import KEPT_CHUNKS, Chunk, Kind
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.ports.control import Listener
from broker_actors.ports.store import Store
from broker_actors.ports.streams import (
    Addition,
    Begun,
    Opened,
    Producer,
    Refusal,
    Standing,
    Streams,
    Taken,
)
from tests.conformance.stores import DEPLOYMENTS, Events, actor, url_of

CALL = CallId(actor(), "s:1 {x}/ü")
READER = Listener("reader's", "r1")
OTHER = Listener("other's", "r2")
WRITER = Producer(0, "", Listener("worker's", "w1"))
NEXT_WRITER = Producer(0, "", Listener("next worker's", "w2"))


@dataclass
class Place:
    """A store and its streams, and streams of it where nobody is heard of for long."""

    store: Store
    streams: Streams
    silent: Streams


@pytest.fixture(params=DEPLOYMENTS)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "memory":
        memory = MemoryStore(SystemClock())
        yield Place(
            memory,
            MemoryStreams(memory, SystemClock()),
            MemoryStreams(memory, SystemClock(), lease_seconds=-1),
        )
        return
    url = url_of(request)
    store = await RedisStore.connect(url, Events())
    streams = RedisStreams(RedisSettings(url), Events())
    silent = RedisStreams(RedisSettings(url), Events(), lease_seconds=-1)
    yield Place(store, streams, silent)
    for one in (streams, silent, store):
        await one.close()


@pytest.fixture
def streams(place: Place) -> Streams:
    return place.streams


def value(text: str) -> Chunk:
    return Chunk(Kind.VALUE, text.encode(), MSGPACK)


def addition(seq: int, text: str = "", *, ends: bool = False) -> Addition:
    chunk = Chunk(Kind.END, b"end", JSON) if ends else value(text or str(seq))
    return Addition(seq, b"" if ends else b"digest %d" % seq, chunk, ends)


async def write(streams: Streams, *seqs: int, producer: Producer = WRITER) -> Standing:
    standing: Standing | Refusal = Refusal.GONE
    for seq in seqs:
        standing = await streams.append(CALL, producer, addition(seq))
    assert isinstance(standing, Standing)
    return standing


async def started(streams: Streams) -> None:
    assert await streams.open(CALL, READER, b"call") is Opened.NEW
    assert isinstance(await streams.begin(CALL, WRITER), Begun)


async def bodies(streams: Streams, after: int, at_most: int = 100, reader: Listener = READER) -> list[bytes]:
    taken = await streams.take(CALL, reader, after, at_most)
    assert isinstance(taken, Taken), taken
    return [chunk.body for chunk in taken.chunks]


async def test_chunks_are_read_in_order_byte_for_byte(streams: Streams) -> None:
    await started(streams)
    chunks = [Chunk(Kind.VALUE, bytes(range(256)), JSON), Chunk(Kind.VALUE, b"", MSGPACK)]
    last = Chunk(Kind.ERROR, b"x" * 100_000, MSGPACK)
    for seq, chunk in enumerate(chunks, 1):
        await streams.append(CALL, WRITER, Addition(seq, b"d", chunk))
    await streams.append(CALL, WRITER, Addition(3, b"", last, ends=True))
    taken = await streams.take(CALL, READER, 0, 100)
    assert isinstance(taken, Taken)
    assert list(taken.chunks) == [*chunks, last]


async def test_a_stream_nobody_opened_is_gone(streams: Streams) -> None:
    assert await streams.begin(CALL, WRITER) is Refusal.GONE
    assert await streams.append(CALL, WRITER, addition(1)) is Refusal.GONE
    assert await streams.look(CALL, WRITER, 0) is Refusal.GONE
    assert await streams.take(CALL, READER, 0, 1) is Refusal.GONE
    assert await streams.leave(CALL, READER) is None
    assert await streams.open(CALL, READER, b"") is Refusal.GONE


async def test_a_stream_of_another_call_under_the_same_key_is_a_conflict(streams: Streams) -> None:
    await started(streams)
    assert await streams.open(CALL, OTHER, b"another") is Refusal.CONFLICT
    assert await streams.open(CALL, READER, b"call") is Opened.KNOWN


async def test_two_streams_do_not_mix(streams: Streams) -> None:
    await started(streams)
    other = replace(CALL, key="s:2")
    assert await streams.open(other, READER, b"call") is Opened.NEW
    await write(streams, 1)
    assert await streams.take(other, READER, 0, 10) == Taken([])


async def test_adding_a_chunk_again_changes_nothing(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1, 1, 2, 1, 2)
    assert await bodies(streams, 0) == [b"1", b"2"]


async def test_nothing_follows_the_end(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1)
    end = addition(2, ends=True)
    for _ in range(2):
        assert isinstance(await streams.append(CALL, WRITER, end), Standing)
    assert await streams.append(CALL, WRITER, addition(3)) is Refusal.ENDED
    assert await streams.begin(CALL, NEXT_WRITER) is Refusal.ENDED
    assert await bodies(streams, 0) == [b"1", b"end"]


async def test_a_new_run_learns_what_is_written_and_fences_the_old_one(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1, 2)
    begun = await streams.begin(CALL, NEXT_WRITER)
    assert isinstance(begun, Begun)
    assert (begun.written, list(begun.digests)) == (2, [b"digest 1", b"digest 2"])
    assert await streams.append(CALL, WRITER, addition(3)) is Refusal.FENCED
    assert await streams.look(CALL, WRITER, 0) is Refusal.FENCED
    await write(streams, 3, producer=NEXT_WRITER)
    assert await bodies(streams, 0) == [b"1", b"2", b"3"]


async def test_only_the_newest_claim_of_the_actor_writes(place: Place) -> None:
    streams = place.streams
    await streams.open(CALL, READER, b"call")
    old = await place.store.claim(CALL.address, "old")
    holder = Producer(old.epoch, "old", WRITER.listener)
    assert isinstance(await streams.begin(CALL, holder), Begun)
    await write(streams, 1, producer=holder)
    new = await place.store.claim(CALL.address, "new")
    assert await streams.append(CALL, holder, addition(2)) is Refusal.FENCED
    assert await streams.begin(CALL, holder) is Refusal.FENCED
    assert isinstance(await streams.begin(CALL, Producer(new.epoch, "new", WRITER.listener)), Begun)
    assert await streams.begin(CALL, Producer(new.epoch, "old", WRITER.listener)) is Refusal.FENCED


async def test_who_made_a_stream_waits_for_its_first_chunk(streams: Streams) -> None:
    await started(streams)
    assert (await write(streams, 1)).wake == READER
    assert (await write(streams, 2)).wake is None


async def test_who_joins_a_stream_waits_for_nothing_yet(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1)
    assert await streams.open(CALL, OTHER, b"call") is Opened.KNOWN
    assert (await write(streams, 2)).wake is None
    assert await bodies(streams, 0, reader=OTHER) == [b"1", b"2"]


async def test_a_caller_that_cannot_be_signalled_with_the_chunk_is_named(streams: Streams) -> None:
    # Its channel is gone, or on another node, or not in this store at all.
    await started(streams)
    assert (await write(streams, 1, producer=replace(WRITER, caller=READER.channel))).wake == READER


async def test_who_waits_for_a_chunk_is_named_once(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1)
    assert await bodies(streams, 1) == []
    assert (await write(streams, 2)).wake == READER
    assert (await write(streams, 3)).wake is None


async def test_a_renewal_neither_reads_nor_waits(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1)
    assert await bodies(streams, 0, at_most=0) == []
    assert (await write(streams, 2)).wake is None


async def test_a_stalled_producer_is_named_once_enough_is_consumed(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1, 2, 3, 4)
    await streams.look(CALL, WRITER, 3)
    for after, wake in ((0, None), (2, None), (3, WRITER.listener), (4, None)):
        taken = await streams.take(CALL, READER, after, 1)
        assert isinstance(taken, Taken)
        assert taken.wake == wake
    assert await streams.look(CALL, WRITER, 0) == Standing(4, cancelled=False, silent=False)


async def test_what_is_consumed_never_goes_back(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1, 2)
    await bodies(streams, 2)
    assert await bodies(streams, 1) == [b"2"]
    assert (await write(streams, 3)).consumed == 2


async def test_a_consumer_that_leaves_cancels_and_names_the_producer(streams: Streams) -> None:
    await streams.open(CALL, READER, b"call")
    assert await streams.leave(CALL, READER) is None
    begun = await streams.begin(CALL, WRITER)
    assert isinstance(begun, Begun)
    assert begun.standing.cancelled
    assert await streams.leave(CALL, READER) == WRITER.listener
    assert (await write(streams, 1)).cancelled


async def test_leaving_a_stream_that_has_ended_signals_nobody(streams: Streams) -> None:
    await started(streams)
    await streams.append(CALL, WRITER, addition(1, ends=True))
    assert await streams.leave(CALL, READER) is None


async def test_the_last_consumer_counts(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1)
    assert await streams.open(CALL, OTHER, b"") is Opened.KNOWN
    assert await streams.take(CALL, READER, 0, 1) is Refusal.FENCED
    assert await streams.leave(CALL, READER) is None
    assert await bodies(streams, 0, reader=OTHER) == [b"1"]
    standing = await streams.look(CALL, WRITER, 0)
    assert isinstance(standing, Standing)
    assert not standing.cancelled


async def test_a_consumer_not_heard_of_for_long_is_silent_until_it_is_heard_again(place: Place) -> None:
    await place.silent.open(CALL, READER, b"call")
    begun = await place.silent.begin(CALL, WRITER)
    assert isinstance(begun, Begun)
    assert begun.standing.silent
    assert (await write(place.silent, 1)).silent
    if isinstance(place.silent, RedisStreams):
        await bodies(place.streams, 0)
        assert not (await write(place.streams, 2)).silent


async def test_what_is_long_consumed_is_dropped_and_nothing_else(streams: Streams) -> None:
    await started(streams)
    total = KEPT_CHUNKS + 40
    await write(streams, *range(1, total + 1))
    assert len(await bodies(streams, 0, at_most=total)) == total
    assert await bodies(streams, 10, at_most=1) == [b"11"]
    await write(streams, total + 1)
    assert await streams.take(CALL, READER, 9, 1) is Refusal.DROPPED
    assert await bodies(streams, 10, at_most=1) == [b"11"]
    begun = await streams.begin(CALL, NEXT_WRITER)
    assert isinstance(begun, Begun)
    assert (begun.written, begun.digests[0], len(begun.digests)) == (total + 1, b"digest 11", total - 9)


async def test_many_bytes_are_dropped_as_soon_as_they_are_consumed(streams: Streams) -> None:
    await started(streams)
    for seq in range(1, 9):
        await streams.append(CALL, WRITER, Addition(seq, b"d", value("x" * 1_000_000)))
    await bodies(streams, 8)
    await write(streams, 9)
    assert await streams.take(CALL, READER, 3, 1) is Refusal.DROPPED
    assert len(await bodies(streams, 5, at_most=10)) == 4


async def test_readers_and_writers_at_once_lose_and_double_nothing(streams: Streams) -> None:
    await started(streams)
    read: list[bytes] = []

    async def consume() -> None:
        while len(read) < 50:
            read.extend(await bodies(streams, len(read), at_most=7))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(consume())
        await write(streams, *range(1, 51))
    assert read == [b"%d" % n for n in range(1, 51)]


async def test_what_would_follow_the_last_chunk_is_not_waited_for(streams: Streams) -> None:
    await started(streams)
    await write(streams, 1)
    await streams.append(CALL, WRITER, addition(2, ends=True))
    assert await bodies(streams, 1) == [b"end"]
    assert await streams.take(CALL, READER, 2, 1) is Refusal.ENDED
    assert await streams.take(CALL, READER, 900, 1) is Refusal.ENDED
    assert isinstance(await streams.take(CALL, READER, 2, 0), Taken), "its lease is renewed all the same"
