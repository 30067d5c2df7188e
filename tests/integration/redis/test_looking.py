"""Lists of actors where Redis holds many in one bucket, or lost some of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.redis import looking
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.address import bucket_number
from tests.conformance.stores import Events, actor
from tests.servers import RedisServer

#: Of one bucket, in the order of the list.
IDS = sorted(f"c{n}" for n in range(4000) if bucket_number(f"c{n}") == 7)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    store = await RedisStore.connect(redis_url, Events())
    await asyncio.gather(*(store.claim(actor(actor_id), "mine") for actor_id in IDS))
    yield store
    await store.close()


async def listed(store: RedisStore, after: str = "", limit: int = 1000) -> list[str]:
    return [one.address.id for one in await store.actors("Counter", after=after, limit=limit)]


async def test_a_full_bucket_is_looked_at_in_slices(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "AT_ONCE_MAX", 3)
    assert len(IDS) > 2 * 3
    assert await listed(store) == IDS
    assert await listed(store, IDS[3], 5) == IDS[4:9]


async def test_actors_somebody_deleted_do_not_end_the_list(store: RedisStore, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.delete(*(f"ba:{{Counter:7}}:a:{actor_id}" for actor_id in IDS[1:4]))
    assert await listed(store, limit=3) == [IDS[0], *IDS[4:6]]
    assert await listed(store) == [IDS[0], *IDS[4:]]


async def test_an_actor_that_is_not_in_the_index_gets_there_when_claimed_again(
    store: RedisStore, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.zrem("ba:{Counter:7}:ids", IDS[1])
    assert IDS[1] not in await listed(store)
    assert await store.peek(actor(IDS[1])) is not None
    await store.claim(actor(IDS[1]), "next")
    assert await listed(store) == IDS


async def test_a_full_server_still_shows_its_actors(redis_server: RedisServer) -> None:
    store = await RedisStore.connect(redis_server.url, Events())
    await store.claim(actor(), "mine")
    async with Redis.from_url(redis_server.url) as redis:
        await redis.config_set("maxmemory", 1)
    assert [one.address for one in await store.actors("Counter")] == [actor()]
    assert await store.peek(actor()) is not None
    await store.close()
