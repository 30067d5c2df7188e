"""The broker or the store dies under load: what was confirmed is processed, and nothing hangs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter as Tally
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from broker_actors import ActorSystem, AskTimeoutError, PlatformError, Settings
from broker_actors.core.events import ConsumerLost, ConsumerOpened, TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.ledger import Ledger, LedgerRef
from tests.servers import RabbitServer, RedisServer

TELLS = 400
IN_FLIGHT = 50
#: Guards against hanging; a broker takes its time to come back on a busy machine.
HANG_SECONDS = 150.0

pytestmark = pytest.mark.timeout(2 * HANG_SECONDS)


@pytest.fixture
async def fragile(rabbit_server: RabbitServer, redis_server: RedisServer) -> AsyncIterator[Deployment]:
    """A deployment on servers this test may break."""
    async with AsyncExitStack() as stack:
        url = await asyncio.to_thread(rabbit_server.vhosts.create)
        settings = Settings(
            url=url,
            redis_url=redis_server.url,
            publish_timeout_seconds=HANG_SECONDS,
            store_timeout_seconds=HANG_SECONDS,
        )
        yield Deployment(settings, None, stack)


async def tell_all(system: ActorSystem) -> set[int]:
    """Tell ten ledgers `TELLS` numbers; return those that were confirmed."""
    confirmed: set[int] = set()
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> None:
        ref = system.ref(LedgerRef, f"l{number % 10}")
        async with slots:
            try:
                await ref.note.tell(number)
            except PlatformError:
                return
            confirmed.add(number)

    await asyncio.gather(*(one(number) for number in range(TELLS)))
    return confirmed


async def read_all(system: ActorSystem) -> Tally[int]:
    """Return how often each number is in the ledgers."""
    refs = [system.ref(LedgerRef, f"l{n}").with_options(timeout=HANG_SECONDS) for n in range(10)]
    return Tally(
        number for numbers in await asyncio.gather(*(ref.read() for ref in refs)) for number in numbers
    )


async def survives(fragile: Deployment, break_it: Callable[[], None]) -> None:
    """Break something after the first hundred turns, and count the effects once all is quiet."""
    system = await fragile.system()
    async with asyncio.timeout(HANG_SECONDS), fragile.worker(Ledger):
        telling = asyncio.create_task(tell_all(system))
        await fragile.watcher.wait_for(TurnEnded, lambda e: e.outcome == "ok", 100)
        await asyncio.to_thread(break_it)
        confirmed = await telling
        # Each ledger reads after everything sent before it, so nothing confirmed can still be on its way.
        seen = await read_all(system)
    assert len(confirmed) > 100
    assert confirmed <= seen.keys()
    assert set(seen.values()) == {1}


async def test_a_killed_broker_loses_nothing_that_was_confirmed(
    fragile: Deployment, rabbit_server: RabbitServer
) -> None:
    def break_it() -> None:
        rabbit_server.kill()
        rabbit_server.restart()

    await survives(fragile, break_it)


async def test_a_killed_store_loses_nothing_that_was_committed(
    fragile: Deployment, redis_server: RedisServer
) -> None:
    def break_it() -> None:
        redis_server.kill()
        redis_server.restart()

    await survives(fragile, break_it)


@pytest.mark.verify
async def test_asks_end_by_their_deadline_while_the_broker_is_gone(
    fragile: Deployment, rabbit_server: RabbitServer
) -> None:
    system = await fragile.system()
    async with fragile.worker(Ledger):
        assert await system.ref(LedgerRef, "l1").read() == []
        await asyncio.to_thread(rabbit_server.kill)
        ref = system.ref(LedgerRef, "l1").with_options(timeout=0.5)
        async with asyncio.timeout(HANG_SECONDS):
            ended = await asyncio.gather(*(ref.read() for _ in range(20)), return_exceptions=True)
        assert {type(error) for error in ended} == {AskTimeoutError}
        await asyncio.to_thread(rabbit_server.restart)
        assert await ref.with_options(timeout=HANG_SECONDS).read() == []


async def test_asks_end_by_their_deadline_while_the_store_is_gone(
    fragile: Deployment, redis_server: RedisServer
) -> None:
    system = await fragile.system()
    async with fragile.worker(Ledger):
        assert await system.ref(LedgerRef, "l1").read() == []
        await asyncio.to_thread(redis_server.kill)
        ref = system.ref(LedgerRef, "l1").with_options(timeout=0.5)
        async with asyncio.timeout(HANG_SECONDS):
            ended = await asyncio.gather(*(ref.read() for _ in range(20)), return_exceptions=True)
        assert {type(error) for error in ended} == {AskTimeoutError}
        await asyncio.to_thread(redis_server.restart)
        assert await ref.with_options(timeout=HANG_SECONDS).read() == []


async def test_a_worker_whose_connections_are_closed_by_the_broker_serves_again(
    fragile: Deployment, rabbit_server: RabbitServer
) -> None:
    system = await fragile.system()
    async with asyncio.timeout(HANG_SECONDS), fragile.worker(Ledger):
        await system.ref(LedgerRef, "l1").note(1)
        opened = len(fragile.watcher.of(ConsumerOpened))
        # The broker's list of connections lags behind: close what it knows until it knew the worker's.
        while not fragile.watcher.of(ConsumerLost):
            await asyncio.to_thread(rabbit_server.vhosts.close_connections, fragile.settings.url)
        await fragile.watcher.wait_for(ConsumerOpened, count=opened + 4)
        assert await system.ref(LedgerRef, "l1").with_options(timeout=HANG_SECONDS).read() == [1]


async def test_a_killed_worker_process_loses_nothing_and_doubles_nothing(fragile: Deployment) -> None:
    system = await fragile.system()
    environment = {
        **os.environ,
        "BROKER_ACTORS_URL": fragile.settings.url,
        "BROKER_ACTORS_REDIS_URL": fragile.settings.redis_url,
    }
    command = [sys.executable, "-m", "broker_actors.cli", "worker", "tests.acceptance.ledger"]
    async with asyncio.timeout(HANG_SECONDS):
        process = await asyncio.create_subprocess_exec(*command, env=environment)
        try:
            telling = asyncio.create_task(tell_all(system))
            # An answer after some of its tells: the process is in the middle of them.
            first = system.ref(LedgerRef, "l0").with_options(timeout=HANG_SECONDS)
            while not await first.read():
                pass
        finally:
            process.kill()
            await process.wait()
        async with fragile.worker(Ledger):
            confirmed = await telling
            seen = await read_all(system)
    assert len(confirmed) == TELLS
    assert seen == Tally(dict.fromkeys(confirmed, 1))
