"""`broker-actors worker` as a program of its own, on real servers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker_actors import ActorSystem
from tests.workers.shell import HANG_SECONDS, line_of, worker

NAPPER = """
import asyncio
from broker_actors import actor, method

@actor(partitions=1)
class Napper:
    naps: int = 0

    @method
    async def nap(self, seconds: float) -> int:
        print("napping", flush=True)
        await asyncio.sleep(seconds)
        self.naps += 1
        return self.naps

    @method
    def count(self) -> int:
        return self.naps
"""


@pytest.fixture
def servers(amqp_url: str, redis_url: str) -> list[str]:
    return ["--amqp", amqp_url, "--redis", redis_url]


@pytest.fixture
async def system(amqp_url: str, redis_url: str) -> AsyncIterator[ActorSystem]:
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        yield system


@pytest.fixture
def napper(tmp_path: Path) -> Path:
    """A directory with a module of the user's own."""
    (tmp_path / "napper.py").write_text(NAPPER)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_stops_in_order_when_asked_to(servers: list[str], number: signal.Signals) -> None:
    async with worker("workers.orders", *servers) as process:
        process.send_signal(number)
        assert await line_of(process, "stopped")
        async with asyncio.timeout(HANG_SECONDS):
            assert await process.wait() == 0


async def test_a_worker_finishes_what_runs_before_it_stops(
    servers: list[str], system: ActorSystem, napper: Path
) -> None:
    sleeper = system.ref("Napper", "s1")
    async with worker("napper", *servers, cwd=napper) as process:
        asking = asyncio.create_task(sleeper.call("nap", 0.3))
        assert process.stdout is not None
        assert await process.stdout.readline() == b"napping\n"
        process.terminate()
        assert await asking == 1
        assert await process.wait() == 0
    async with worker("napper:Napper", *servers, cwd=napper):
        assert await sleeper.call("count") == 1


async def test_a_worker_asked_twice_does_not_wait(
    servers: list[str], system: ActorSystem, napper: Path
) -> None:
    async with worker("napper", *servers, cwd=napper) as process:
        await system.ref("Napper", "s1").nap.tell(1000)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"napping\n"
        process.terminate()
        await line_of(process, "stopping")
        process.terminate()
        async with asyncio.timeout(HANG_SECONDS):
            assert await process.wait() == -signal.SIGTERM


async def test_confirmed_tells_survive_a_stop_under_load(
    servers: list[str], system: ActorSystem, napper: Path
) -> None:
    """Workers that are told to stop while messages stream in lose none of them, and run none twice."""
    actors = [system.ref("Napper", f"a{n}") for n in range(5)]
    stop = asyncio.Event()
    told = 0

    async def tell() -> None:
        nonlocal told
        while not stop.is_set():
            await asyncio.gather(*(actor.nap.tell(0.001) for actor in actors))
            told += 1

    async with worker("napper", *servers, cwd=napper) as first:
        telling = asyncio.create_task(tell())
        assert first.stdout is not None
        for _ in range(20):
            assert await first.stdout.readline() == b"napping\n"
        first.terminate()
        _out, err = await first.communicate()
        assert first.returncode == 0, err
    stop.set()
    await telling
    async with worker("napper", *servers, cwd=napper):
        assert [await actor.call("count") for actor in actors] == [told] * len(actors)
