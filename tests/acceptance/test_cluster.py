"""Actors whose states are spread over the nodes of a Redis Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import pytest

from broker_actors import Settings
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef, Teller, TellerRef
from tests.acceptance.watching import HANG_SECONDS
from tests.servers import RedisCluster

ACTORS: Final = 30


@pytest.fixture
async def spread(amqp_url: str, redis_cluster: RedisCluster) -> AsyncIterator[Deployment]:
    """A deployment whose store is a cluster."""
    async with AsyncExitStack() as stack:
        settings = Settings(url=amqp_url, redis_url=redis_cluster.all_urls, prefetch=100)
        yield Deployment(settings, None, stack)


async def test_actors_on_all_nodes_ask_and_tell_each_other(spread: Deployment) -> None:
    system = await spread.system()
    async with spread.worker(Counter, Teller), asyncio.timeout(HANG_SECONDS):
        tellers = [system.ref(TellerRef, f"t{n}") for n in range(ACTORS)]
        assert await asyncio.gather(*(t.pass_on(f"c{n}", 3) for n, t in enumerate(tellers))) == [3] * ACTORS
        counters = [system.ref(CounterRef, f"c{n}") for n in range(ACTORS)]
        while await asyncio.gather(*(counter.get() for counter in counters)) != [3] * ACTORS:
            # They were told, and hear of it when they hear of it.
            continue
        keyed = [counter.with_options(idempotency_key="once") for counter in counters]
        for _ in range(2):
            assert await asyncio.gather(*(counter.increment() for counter in keyed)) == [4] * ACTORS
    async with spread.worker(Counter, Teller), asyncio.timeout(HANG_SECONDS):
        assert await asyncio.gather(*(counter.get() for counter in counters)) == [4] * ACTORS
