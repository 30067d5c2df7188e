"""Every store: which run of it answers, and how many commits it knows of."""

from __future__ import annotations

import asyncio

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.turn import Committed
from broker_actors.ports.origins import VERSIONS_READ_MAX
from broker_actors.ports.store import Store
from tests.conformance.stores import Events, OpenStore, actor, commit_of
from tests.servers import RedisServer


async def test_everybody_hears_of_the_same_origin_as_long_as_the_store_runs(open_store: OpenStore) -> None:
    one, other = await open_store(), await open_store()
    origin = await one.origin()
    assert origin
    claim = await one.claim(actor(), "mine")
    assert await one.commit(commit_of(claim, "turn")) == Committed()
    assert [await one.origin(), await other.origin()] == [origin, origin]


async def test_the_versions_of_actors_are_read_in_the_order_asked_for(store: Store) -> None:
    claim = await store.claim(actor("twice"), "mine")
    assert await store.commit(commit_of(claim, "first")) == Committed()
    await store.claim(actor("claimed"), "mine")
    assert list(await store.versions([actor("nobody"), actor("twice"), actor("claimed")])) == [0, 1, 0]
    assert list(await store.versions([])) == []


async def test_reading_versions_takes_no_actor_and_makes_none(store: Store) -> None:
    claim = await store.claim(actor("c1"), "mine")
    await store.versions([actor("c1"), actor("c2")])
    assert await store.commit(commit_of(claim, "turn")) == Committed()
    assert [one.address for one in await store.actors("Counter")] == [actor("c1")]


async def test_as_many_versions_as_may_be_asked_for_are_read_at_once(store: Store) -> None:
    addresses = [actor(f"c{n}") for n in range(VERSIONS_READ_MAX)]
    assert list(await store.versions(addresses)) == [0] * VERSIONS_READ_MAX


async def test_another_embedded_store_has_another_origin() -> None:
    assert await MemoryStore(SystemClock()).origin() != await MemoryStore(SystemClock()).origin()


async def test_a_restarted_redis_has_another_origin_and_the_same_versions(redis_server: RedisServer) -> None:
    store = await RedisStore.connect(redis_server.url, Events())
    try:
        before = await store.origin()
        claim = await store.claim(actor(), "mine")
        assert await store.commit(commit_of(claim, "turn")) == Committed()
        await asyncio.to_thread(redis_server.restart)
        assert await store.origin() != before
        assert list(await store.versions([actor()])) == [1]
    finally:
        await store.close()
