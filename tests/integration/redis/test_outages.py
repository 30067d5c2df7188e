"""Servers that are silent, frozen, full, elsewhere or unwilling: what callers are told, and when."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.errors import ConfigurationError, StoreUnavailableError
from broker_actors.core.events import ConnectionLost
from broker_actors.core.turn import Committed
from tests.conformance.stores import Events, actor, commit_of
from tests.integration.redis.proxy import proxy_to
from tests.servers import RedisServer


async def test_a_silent_server_is_given_up_at_the_deadline(redis_url: str) -> None:
    async with proxy_to(redis_url) as (proxy, proxied):
        store = await RedisStore.connect(proxied, Events(), timeout_seconds=0.6)
        proxy.pipes[-1].swallow_answers()
        proxy.silent = True
        started = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailableError, match=r"no answer .* within 0\.6 s"):
            await store.outbox(actor())
        assert asyncio.get_running_loop().time() - started < 2
        proxy.silent = False
        assert dict(await store.outbox(actor())) == {}
        await store.close()


async def test_a_frozen_server_serves_again_when_it_thaws(redis_server: RedisServer) -> None:
    store = await RedisStore.connect(redis_server.url, Events(), timeout_seconds=0.6)
    claim = await store.claim(actor(), "mine")
    redis_server.freeze()
    with pytest.raises(StoreUnavailableError):
        await store.commit(commit_of(claim, "turn"))
    redis_server.thaw()
    # What the frozen server held back is applied now, or by this one: once.
    assert await store.commit(commit_of(claim, "turn")) == Committed()
    assert (await store.claim(actor(), "next")).version == 1
    await store.close()


async def test_a_server_that_is_not_there_is_named_without_the_password(redis_server: RedisServer) -> None:
    redis_server.kill()
    url = redis_server.url.replace("redis://", "redis://user:secret@")
    with pytest.raises(StoreUnavailableError, match=f":{redis_server.port}/0 .* is it running") as raised:
        await RedisStore.connect(url, Events(), timeout_seconds=0.3)
    assert "secret" not in str(raised.value)


async def test_refused_credentials_are_told_at_once(redis_url: str) -> None:
    url = redis_url.replace("redis://", "redis://nobody:secret@")
    started = asyncio.get_running_loop().time()
    with pytest.raises(StoreUnavailableError, match="refused") as raised:
        await RedisStore.connect(url, Events())
    assert "secret" not in str(raised.value)
    assert asyncio.get_running_loop().time() - started < 5


async def test_a_full_server_refuses_commits_and_still_forgets(redis_server: RedisServer) -> None:
    store = await RedisStore.connect(redis_server.url, Events())
    claim = await store.claim(actor(), "mine")
    await store.commit(commit_of(claim, "turn 1", b"kept", (b"item",)))
    later = replace(claim, version=1)
    async with Redis.from_url(redis_server.url) as redis:
        await redis.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailableError, match="raise maxmemory"):
            await store.commit(commit_of(later, "turn 2", b"two", (b"item",)))
        await store.dispatched(actor(), list(await store.outbox(actor())))
        assert dict(await store.outbox(actor())) == {}
        await redis.config_set("maxmemory", 0)
    assert await store.commit(commit_of(later, "turn 2", b"two")) == Committed()
    await store.close()


async def test_a_replica_is_left_for_the_primary_at_the_same_address(redis_server: RedisServer) -> None:
    events = Events()
    store = await RedisStore.connect(redis_server.url, events)
    claim = await store.claim(actor(), "mine")
    async with Redis.from_url(redis_server.url) as redis:
        await redis.replicaof("127.0.0.1", str(redis_server.port))
        commit = asyncio.create_task(store.commit(commit_of(claim, "turn")))
        await asyncio.sleep(0.1)
        assert not commit.done()
        await redis.replicaof("NO", "ONE")
        assert await commit == Committed()
    assert ConnectionLost in {type(event) for event in events.seen}
    assert (await store.claim(actor(), "next")).version == 1
    await store.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://127.0.0.1?nonsense=1"])
async def test_a_url_that_cannot_work_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Redis URL"):
        await RedisStore.connect(url, Events())


async def test_a_prefix_that_would_move_the_hash_tag_is_refused(redis_url: str) -> None:
    with pytest.raises(ConfigurationError, match="braces"):
        await RedisStore.connect(redis_url, Events(), prefix="{ba}")
