"""A worker is killed in an interleaved turn: between two sections, and inside one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import pytest

from tests.acceptance.conftest import Deployment
from tests.acceptance.doomed_till import DOOMED, DoomedTill, DoomedTillRef, Witness, WitnessRef

#: A guard against hanging: an interpreter starts, and the broker has to notice that it died.
HANG_SECONDS = 60.0
LOOK_SECONDS = 0.02

pytestmark = pytest.mark.timeout(2 * HANG_SECONDS)


async def doomed(real: Deployment) -> asyncio.subprocess.Process:
    environment = {
        **os.environ,
        "BROKER_ACTORS_URL": real.settings.url,
        "BROKER_ACTORS_REDIS_URL": real.settings.redis_url,
        DOOMED: "1",
    }
    command = [sys.executable, "-m", "broker_actors.cli", "worker", "tests.acceptance.doomed_till"]
    return await asyncio.create_subprocess_exec(*command, env=environment)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():  # noqa: ASYNC110 - only an actor in another process knows
        await asyncio.sleep(LOOK_SECONDS)


@pytest.mark.parametrize("stay", ["between", "inside"])
async def test_sections_of_a_killed_worker_are_written_once(real: Deployment, stay: str) -> None:
    system = await real.system()
    till = system.ref(DoomedTillRef, "t1").with_options(timeout=HANG_SECONDS)
    witness = system.ref(WitnessRef, "w1").with_options(timeout=HANG_SECONDS)
    async with asyncio.timeout(HANG_SECONDS):
        process = await doomed(real)
        adding = asyncio.ensure_future(till.add_twice(stay))

        async def is_there() -> bool:
            return (await witness.times() == 1) if stay == "inside" else (await till.where() == "between")

        await until(is_there)
        process.kill()
        await process.wait()
        async with real.worker(DoomedTill, Witness):
            assert await adding == 11
            assert await till.total() == 11
            assert await witness.times() == (1 if stay == "inside" else 0)
