"""A store that has lost commits it had confirmed: never silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.redis.keys import Keys
from broker_actors.core.address import Address
from broker_actors.core.events import StoreRolledBack, TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef, Teller, TellerRef

ACTOR = Address("Counter", "c1")


@asynccontextmanager
async def rolled_back(redis_url: str, actor_type: str = "Counter") -> AsyncIterator[None]:
    """Undo in the store whatever happens meanwhile, as restoring a backup does."""
    pattern = f"ba:{{{actor_type}:*"
    async with Redis.from_url(redis_url) as redis:
        before = {key: await redis.dump(key) or b"" async for key in redis.scan_iter(pattern)}
        yield
        async for key in redis.scan_iter(pattern):
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


async def test_an_actor_whose_numbers_were_rolled_back_tells_others_as_a_new_sender(
    real: Deployment, redis_url: str
) -> None:
    system = await real.system()
    teller, counter = system.ref(TellerRef, "t1"), system.ref(CounterRef, "c1")

    async def told(times: int) -> None:
        await real.watcher.wait_for(TurnEnded, lambda e: e.method == "increment", times)

    async with real.worker(Counter, Teller):
        await teller.pass_on("c1", 1)
        await told(1)
        async with rolled_back(redis_url, "Teller"):
            await teller.pass_on("c1", 1)
            await told(2)
        # With the number of the one before, which the counter has accepted.
        assert await teller.pass_on("c1", 1) == 2
        await told(3)
        assert await counter.get() == 3
        await teller.pass_on("c1", 1)
        await told(4)
        assert await counter.get() == 4
    [event] = real.watcher.of(StoreRolledBack)
    assert event.address == Address("Teller", "t1")


async def test_an_actor_is_a_new_sender_before_anything_else_is_known_of_a_rollback(
    real: Deployment, redis_url: str
) -> None:
    """Also if the worker that knew of it dies then: nobody else would know."""
    system = await real.system()
    teller = system.ref(TellerRef, "t1")
    async with Redis.from_url(redis_url) as redis:

        async def incarnation() -> object:
            return await redis.hget(Keys("ba").actor(Address("Teller", "t1")), "incarnation")

        async with real.worker(Counter, Teller):
            await teller.pass_on("c1", 1)
            before = await incarnation()
            async with rolled_back(redis_url, "Teller"):
                await teller.get()
                await teller.pass_on("c1", 1)
            await teller.get()
            assert before not in {None, await incarnation()}
