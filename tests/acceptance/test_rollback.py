"""A store that has lost commits it had confirmed: never silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis

from broker_actors import Settings
from broker_actors.core.address import Address
from broker_actors.core.events import StoreRolledBack
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef

ACTOR = Address("Counter", "c1")


@pytest.fixture
async def real(amqp_url: str, redis_url: str) -> AsyncIterator[Deployment]:
    """A deployment with a store whose keys can be put back."""
    async with AsyncExitStack() as stack:
        yield Deployment(Settings(url=amqp_url, redis_url=redis_url), None, stack)


@asynccontextmanager
async def rolled_back(redis_url: str) -> AsyncIterator[None]:
    """Undo in the store whatever happens meanwhile, as restoring a backup does."""
    async with Redis.from_url(redis_url) as redis:
        before = {key: await redis.dump(key) or b"" async for key in redis.scan_iter("ba:{Counter:*")}
        yield
        async for key in redis.scan_iter("ba:{Counter:*"):
            await redis.delete(key)
        for key, value in before.items():
            await redis.restore(key, 0, value)


@pytest.mark.parametrize("idle_timeout", ["live", "passivated"])
async def test_a_store_that_went_back_is_reported_and_the_actor_goes_on(
    real: Deployment, redis_url: str, idle_timeout: str
) -> None:
    system = await real.system()
    counter = system.ref(CounterRef, "c1")
    cap = 1 if idle_timeout == "passivated" else 100
    async with real.worker(Counter, residents_max=cap):
        assert await counter.increment() == 1
        async with rolled_back(redis_url):
            assert await counter.increment() == 2
            await system.ref(CounterRef, "c2").increment()
            # Answered after the first has left memory, if it is to leave.
            await system.ref(CounterRef, "c2").increment()
        assert await counter.increment() == 2
        assert await counter.increment() == 3
    [event] = real.watcher.of(StoreRolledBack)
    assert (event.address, event.version, event.found) == (ACTOR, 2, 1)


async def test_a_successor_that_took_over_is_no_rollback(real: Deployment) -> None:
    system = await real.system()
    counter = system.ref(CounterRef, "c1")
    async with real.worker(Counter):
        assert await counter.increment() == 1
        await system.backend.store.claim(ACTOR, "a successor")
        assert await counter.increment() == 2
    assert real.watcher.of(StoreRolledBack) == []
