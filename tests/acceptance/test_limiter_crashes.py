"""Who holds a place of a limiter dies or freezes, or the store does. Real processes and a real store."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final

import pytest
import redis

from broker_actors import ActorSystem, Settings
from broker_actors.adapters.redis.keys import Keys
from broker_actors.patterns import PlaceLostError
from tests.acceptance.conftest import Deployment
from tests.acceptance.licensed import LIMITER
from tests.acceptance.processes import HANG_SECONDS, module, said
from tests.servers import RedisServer
from tests.servers.polling import until

#: The shortest there is.
LEASE_SECONDS: Final = 1.0
#: One that does not end within a test.
LONG_SECONDS: Final = 600.0


@pytest.fixture
async def fragile(amqp_url: str, redis_server: RedisServer) -> AsyncIterator[Deployment]:
    """A deployment whose store the test may kill."""
    async with AsyncExitStack() as stack:
        settings = Settings(url=amqp_url, redis_url=redis_server.url, store_timeout_seconds=HANG_SECONDS)
        yield Deployment(settings, None, stack)


def holder(real: Deployment, lease_seconds: float = LEASE_SECONDS) -> AbstractAsyncContextManager[Process]:
    """Run a process that asks for the place; kill it at the end."""
    return module(real, "tests.acceptance.licensed", f"{lease_seconds}")


def leased_until_ms(real: Deployment) -> dict[int, int]:
    """Return the tokens of the places that the store knows, and until when, by its own clock."""
    with redis.Redis.from_url(real.settings.redis_url, decode_responses=True) as operator:
        entries: dict[str, str] = operator.hgetall(Keys("ba").limiter(LIMITER))
    held = (value.split(":") for name, value in entries.items() if name.startswith("h:"))
    return {int(token): int(until_ms) for token, until_ms in held}


async def standing_in_line(real: Deployment) -> None:
    """Return when the store knows somebody who waits."""

    def waits() -> bool:
        with redis.Redis.from_url(real.settings.redis_url, decode_responses=True) as operator:
            return any(name.startswith("w:") for name in operator.hkeys(Keys("ba").limiter(LIMITER)))

    await asyncio.to_thread(until, waits, "somebody to stand in line", HANG_SECONDS)


async def test_the_place_of_a_killed_process_comes_back_with_the_end_of_its_lease(real: Deployment) -> None:
    system = await real.system()
    async with holder(real) as process, asyncio.timeout(HANG_SECONDS):
        token = int(await said(process, "inside"))
        entering = asyncio.create_task(entered(system))
        await standing_in_line(real)
        process.kill()
        await process.wait()
        until_ms = leased_until_ms(real)[token]
        # A token is the time of the store when the place was given.
        assert await entering >= until_ms > token


async def entered(system: ActorSystem) -> int:
    """Take the place and give it back; return its token."""
    async with system.limiter(LIMITER, 1, lease=LEASE_SECONDS) as place:
        return place.token


async def test_a_process_frozen_past_its_lease_is_told_and_takes_the_place_from_nobody(
    real: Deployment,
) -> None:
    system = await real.system()
    async with holder(real) as process, asyncio.timeout(HANG_SECONDS):
        token = int(await said(process, "inside"))
        process.send_signal(signal.SIGSTOP)
        async with system.limiter(LIMITER, 1, lease=LONG_SECONDS) as place:
            assert place.token > token
            process.send_signal(signal.SIGCONT)
            assert "the lease ran out before the work ended" in await said(process, "lost:")
            # It has given up what it had, which was nothing any more, and waits like anybody.
            await standing_in_line(real)
            assert list(leased_until_ms(real)) == [place.token]
            place.check()
        assert int(await said(process, "inside again")) > place.token


@pytest.mark.verify
async def test_a_process_killed_in_the_line_keeps_nobody_waiting_for_long(real: Deployment) -> None:
    system = await real.system()
    async with asyncio.timeout(HANG_SECONDS):
        async with system.limiter(LIMITER, 1, lease=LONG_SECONDS), holder(real) as process:
            await said(process, "asks")
            await standing_in_line(real)
            process.kill()
            await process.wait()
        # It is first in line, and asks no more.
        assert await entered(await real.system())


async def test_a_place_outlives_a_store_that_is_killed_and_comes_back(
    fragile: Deployment, redis_server: RedisServer
) -> None:
    one, other = await fragile.system(), await fragile.system()
    async with asyncio.timeout(HANG_SECONDS):
        async with one.limiter(LIMITER, 1, lease=LONG_SECONDS) as place:
            entering = asyncio.create_task(entered(other))
            await standing_in_line(fragile)
            redis_server.kill()
            await asyncio.to_thread(redis_server.restart)
            # Whoever waited asks again, and the store still knows who has the place.
            await standing_in_line(fragile)
            assert list(leased_until_ms(fragile)) == [place.token]
            assert not entering.done()
            place.check()
        assert await entering > place.token


async def test_a_store_that_stays_away_costs_the_place_and_then_gives_a_new_one(
    fragile: Deployment, redis_server: RedisServer
) -> None:
    system = await fragile.system()
    async with asyncio.timeout(HANG_SECONDS):
        inside: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def work() -> None:
            async with system.limiter(LIMITER, 1, lease=LEASE_SECONDS) as place:
                inside.set_result(place.token)
                await asyncio.Event().wait()

        working = asyncio.create_task(work())
        token = await inside
        redis_server.kill()
        with pytest.raises(PlaceLostError):
            await working
        await asyncio.to_thread(redis_server.restart)
        assert await entered(system) > token
