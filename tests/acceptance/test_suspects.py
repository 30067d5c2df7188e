"""A message that kills its worker again and again: it ends, and nobody else pays for it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from broker_actors import ActorSystem, SystemFaultError
from broker_actors.core.dead import Reason
from broker_actors.core.verdict import CRASHES_MAX
from tests.acceptance import dead_letters
from tests.acceptance.conftest import Deployment
from tests.acceptance.crasher import LINGERS, CrasherRef

#: A guard against hanging: so many interpreters start one after the other.
HANG_SECONDS = 100.0
NEIGHBOURS = 20
#: More than the message under test may cost, or it is run for ever.
DEATHS_MAX = 2 * CRASHES_MAX

pytestmark = pytest.mark.timeout(2 * HANG_SECONDS)


async def start_worker(real: Deployment, stdout: int | None = None) -> asyncio.subprocess.Process:
    """Start a worker process."""
    environment = {
        **os.environ,
        "BROKER_ACTORS_URL": real.settings.url,
        "BROKER_ACTORS_REDIS_URL": real.settings.redis_url,
    }
    command = [sys.executable, "-m", "broker_actors.cli", "worker", "tests.acceptance.crasher"]
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=stdout)


@asynccontextmanager
async def process_of(real: Deployment) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker process whose output can be read, and kill it in the end."""
    process = await start_worker(real, asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def run_workers_until(real: Deployment, done: asyncio.Event) -> int:
    """Start a worker process whenever there is none; return how many died before *done*."""
    died = 0
    waiting = asyncio.ensure_future(done.wait())
    while died < DEATHS_MAX:
        process = await start_worker(real)
        ended = asyncio.ensure_future(process.wait())
        await asyncio.wait([ended, waiting], return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            process.kill()
            await ended
            return died
        died += 1
    waiting.cancel()
    return died


async def test_a_message_that_kills_its_workers_ends_and_nobody_else_pays_for_it(real: Deployment) -> None:
    system = await real.system()
    neighbours = [system.ref(CrasherRef, f"c{n}") for n in range(NEIGHBOURS)]

    async def tell_neighbours() -> None:
        await asyncio.gather(*(c.run.tell() for c in neighbours))

    await tell_neighbours()
    done = asyncio.Event()
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(_crash(system))
        await tell_neighbours()
        workers = tasks.create_task(run_workers_until(real, done))
        [letter] = await dead_letters.take(system.backend.transport, "Crasher", 1, hang_seconds=HANG_SECONDS)
        answers = [await c.with_options(timeout=HANG_SECONDS).run() for c in neighbours]
        done.set()
    assert letter.reason == Reason.CRASHED
    assert f"{CRASHES_MAX} workers died" in letter.error
    assert asking.result() == "CrashLoopError"
    # The first crash was of nobody's suspect; then each run of the guilty one was charged to it.
    assert workers.result() == CRASHES_MAX + 1
    assert answers == [3] * NEIGHBOURS
    assert (await system.backend.transport.depth("actors.dead.Crasher")).ready == 0


async def _crash(system: ActorSystem) -> str:
    """Return what the caller of the deadly message is told."""
    with pytest.raises(SystemFaultError, match="workers died while they ran this message") as told:
        await system.ref(CrasherRef, "bad").with_options(timeout=HANG_SECONDS).crash()
    return told.value.remote_type


@pytest.mark.verify
async def test_who_killed_the_worker_is_not_asked_so_an_innocent_that_dies_alone_is_buried(
    real: Deployment,
) -> None:
    system = await real.system()
    await system.ref(CrasherRef, "innocent").linger.tell()
    killed = 0
    async with asyncio.timeout(HANG_SECONDS):
        burying = asyncio.ensure_future(
            dead_letters.take(system.backend.transport, "Crasher", 1, hang_seconds=HANG_SECONDS)
        )
        while not burying.done():
            async with process_of(real) as process:
                assert process.stdout is not None
                lingering = asyncio.ensure_future(process.stdout.readuntil(LINGERS))
                await asyncio.wait([lingering, burying], return_when=asyncio.FIRST_COMPLETED)
                killed += not burying.done()
                lingering.cancel()
        [letter] = await burying
    assert letter.reason == Reason.CRASHED
    assert killed == CRASHES_MAX + 1, "one of nobody's suspect, two shared, three alone"
