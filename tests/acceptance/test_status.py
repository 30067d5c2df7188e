"""A worker tells the truth about itself: whether it is ready, and if not, why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from broker_actors import Settings, Worker
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef
from tests.servers import RabbitServer, RedisServer

#: A guard against hanging; a broker takes its time to come back on a busy machine.
HANG_SECONDS = 150.0

pytestmark = pytest.mark.timeout(2 * HANG_SECONDS)


@pytest.fixture
async def fragile(rabbit_server: RabbitServer, redis_server: RedisServer) -> AsyncIterator[Deployment]:
    """A deployment on servers this test may break."""
    async with AsyncExitStack() as stack:
        url = await asyncio.to_thread(rabbit_server.vhosts.create)
        yield Deployment(Settings(url=url, redis_url=redis_server.url), None, stack)


async def status_when(worker: Worker, *, ready: bool) -> tuple[str, ...]:
    """Return the reasons once the worker says to be (not) ready."""
    async with asyncio.timeout(HANG_SECONDS):
        while (status := worker.status()).ready is not ready:  # noqa: ASYNC110 - a status is asked for, not announced
            await asyncio.sleep(0.05)
    return status.reasons


async def test_a_worker_is_ready_once_it_is_entered_and_not_after_it_stopped(deployment: Deployment) -> None:
    async with deployment.worker(Counter) as worker:
        assert worker.status().ready
    assert worker.status().reasons == ("the worker is not running",)


@pytest.mark.verify
async def test_a_worker_that_lost_its_broker_says_so_and_recovers(
    fragile: Deployment, rabbit_server: RabbitServer
) -> None:
    system = await fragile.system()
    async with fragile.worker(Counter) as worker:
        await asyncio.to_thread(rabbit_server.kill)
        reasons = await status_when(worker, ready=False)
        assert any("actors.Counter.g1.0 is not consumed" in reason for reason in reasons)
        await asyncio.to_thread(rabbit_server.restart)
        assert await status_when(worker, ready=True) == ()
        assert await system.ref(CounterRef, "c1").with_options(timeout=HANG_SECONDS).increment() == 1


@pytest.mark.verify
async def test_a_worker_whose_broker_is_frozen_says_so_and_recovers(
    fragile: Deployment, rabbit_server: RabbitServer
) -> None:
    async with fragile.worker(Counter) as worker:
        await asyncio.to_thread(rabbit_server.freeze)
        assert await status_when(worker, ready=False)
        await asyncio.to_thread(rabbit_server.thaw)
        assert await status_when(worker, ready=True) == ()


async def test_a_worker_that_lost_its_store_says_so_keeps_its_mailboxes_and_recovers(
    fragile: Deployment, redis_server: RedisServer
) -> None:
    async with fragile.worker(Counter) as worker:
        await asyncio.to_thread(redis_server.kill)
        [reason] = await status_when(worker, ready=False)
        assert "the store has not answered" in reason
        assert worker.owns("actors.Counter.g1.0")
        await asyncio.to_thread(redis_server.restart)
        assert await status_when(worker, ready=True) == ()
