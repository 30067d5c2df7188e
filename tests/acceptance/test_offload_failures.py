"""Methods off the loop: cancelled, without a place for them, or left by a worker that is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from broker_actors import AskTimeoutError, SystemFaultError
from broker_actors.core.events import LeftBehind, TurnEnded
from tests.acceptance import cruncher
from tests.acceptance.conftest import Deployment
from tests.acceptance.cruncher import Cruncher, CruncherRef
from tests.acceptance.test_offload import blocked, gone
from tests.acceptance.watching import HANG_SECONDS

pytestmark = [pytest.mark.embedded_first, pytest.mark.usefixtures("threads_end")]

#: A deadline that passes while a test waits for it.
SOON: Final = 0.3
LOOK_SECONDS: Final = 0.005


async def begun(mark: Path) -> int:
    """Return which process has made *mark*, once it has."""
    while not (text := _text(mark)):  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(LOOK_SECONDS)
    return int(text)


def _text(mark: Path) -> str:
    return mark.read_text() if mark.exists() else ""


async def test_a_thread_whose_caller_is_cancelled_is_left_behind_and_its_actor_goes_on(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with (
        asyncio.timeout(HANG_SECONDS),
        deployment.worker(Cruncher, threads_max=2, drain_timeout_seconds=0.0),
    ):
        ref = system.ref(CruncherRef, "c1")
        blocking = asyncio.ensure_future(ref.block(1))
        await blocked(1)
        blocking.cancel()
        [left] = await deployment.watcher.wait_for(LeftBehind)
        assert (str(left.address), left.method) == ("Cruncher/c1", "block")
        assert await ref.get() == (3, []), "the lane is free"
        assert await ref.thread() == ("actor-method", "made here"), "and so is another thread"


async def test_a_process_whose_caller_is_cancelled_is_killed_and_the_next_call_has_another(
    deployment: Deployment, tmp_path: Path
) -> None:
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(Cruncher, processes_max=1):
        ref = system.ref(CruncherRef, "c1").with_options(timeout=HANG_SECONDS)
        calling = asyncio.ensure_future(ref.spin(str(tmp_path / "pid")))
        pid = await begun(tmp_path / "pid")
        calling.cancel()
        await gone(pid)
        assert await ref.multiply(2) == 6


async def test_who_finds_every_thread_busy_waits_for_one_and_no_longer_than_it_may(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(Cruncher, threads_max=1):
        busy, other = (system.ref(CruncherRef, name) for name in ("c1", "c2"))
        blocking = asyncio.ensure_future(busy.block(1))
        await blocked(1)
        with pytest.raises((AskTimeoutError, SystemFaultError)):
            await other.with_options(timeout=SOON).block(2)
        waiting = asyncio.ensure_future(other.block(3))
        assert await system.ref(CruncherRef, "c3").get() == (3, []), "who needs no thread goes on"
        cruncher.OPEN.set()
        assert (await blocking, await waiting) == (1, 3)
    assert {1, 3} == cruncher.BLOCKED, "what was given up has not begun"


async def test_what_a_worker_had_begun_in_a_thread_the_next_one_does(deployment: Deployment) -> None:
    system = await deployment.system()
    ref = system.ref(CruncherRef, "c1").with_options(timeout=2 * HANG_SECONDS)
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        async with deployment.worker(Cruncher, drain_timeout_seconds=0.0):
            calling = tasks.create_task(ref.block(1))
            await blocked(1)
        cruncher.OPEN.set()
        async with deployment.worker(Cruncher):
            assert await calling == 1
    [ran] = deployment.watcher.of(TurnEnded)
    assert (ran.outcome, ran.attempt) == ("ok", 1)


async def test_what_a_worker_had_begun_in_a_process_the_next_one_does(
    deployment: Deployment, tmp_path: Path
) -> None:
    system = await deployment.system()
    ref = system.ref(CruncherRef, "c1").with_options(timeout=2 * HANG_SECONDS)
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        async with deployment.worker(Cruncher, drain_timeout_seconds=0.0):
            await ref.set_factor(5)
            calling = tasks.create_task(ref.spin_once(str(tmp_path / "pid")))
            pid = await begun(tmp_path / "pid")
        await gone(pid)
        async with deployment.worker(Cruncher):
            assert await calling == 5
    [ran] = [event for event in deployment.watcher.of(TurnEnded) if event.method == "spin_once"]
    assert (ran.outcome, ran.attempt) == ("ok", 1), "its end was no failure of the call"
