"""Methods off the loop: where they run, what they may do, and what becomes of one nobody waits for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker_actors import BusinessError, SystemFaultError, Worker, actor, method
from broker_actors.core.errors import ConfigurationError, PlatformError
from broker_actors.core.events import LeftBehind, TurnEnded
from tests.acceptance import cruncher
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef
from tests.acceptance.cruncher import Cruncher, CruncherRef

#: Until nothing else happens in between: an interpreter starts at the first call.
FIRST_SECONDS, SOON_SECONDS, LOOK_SECONDS = 30.0, 1.0, 0.005


pytestmark = [pytest.mark.embedded_first, pytest.mark.usefixtures("threads_end")]


@pytest.fixture
async def ref(deployment: Deployment) -> AsyncIterator[CruncherRef]:
    """An actor with a worker of its own, which waits for nothing when it stops."""
    system = await deployment.system()
    async with deployment.worker(Cruncher, Counter, drain_timeout_seconds=0.0):
        yield system.ref(CruncherRef, "c1")


async def blocked(count: int) -> None:
    while len(cruncher.BLOCKED) < count:  # noqa: ASYNC110 - a thread says so to nobody
        await asyncio.sleep(LOOK_SECONDS)


async def gone(pid: int) -> None:
    while is_alive(pid):  # noqa: ASYNC110 - the kernel says so to its parent only
        await asyncio.sleep(LOOK_SECONDS)


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_process_computes_with_the_state_as_committed(ref: CruncherRef) -> None:
    assert await ref.multiply(5) == 15
    await ref.set_factor(4)
    assert await ref.multiply(5) == 20
    process = await ref.where()
    assert process != os.getpid()
    assert await ref.where() == process, "it is kept"


async def test_what_a_process_raises_arrives_as_if_it_had_run_here(ref: CruncherRef) -> None:
    with pytest.raises(BusinessError, match="not today") as refused:
        await ref.refuse()
    assert (refused.value.code, refused.value.details) == ("no", {"day": 1})
    with pytest.raises(SystemFaultError, match="KeyError") as failed:
        await ref.fail()
    assert failed.value.remote_type == "KeyError"
    assert "in fail" in failed.value.remote_traceback
    with pytest.raises(BusinessError, match="n"):
        await ref.multiply("many")  # type: ignore[arg-type]
    with pytest.raises(SystemFaultError, match="cannot be sent"):
        await ref.return_what_cannot_be_sent()


async def test_what_runs_off_the_loop_only_reads(ref: CruncherRef) -> None:
    for call in (ref.set_in_process, ref.append_in_process, ref.set_in_thread, ref.append_in_thread):
        with pytest.raises(PlatformError, match=r"cannot be written here|where it may only read"):
            await call()
    assert await ref.get() == (3, [])


async def test_a_process_that_dies_fails_its_turn_and_the_next_attempt_has_another(
    ref: CruncherRef, deployment: Deployment, tmp_path: Path
) -> None:
    first = await ref.where()
    assert await ref.die_once(str(tmp_path / "died")) == "survived"
    assert await ref.where() != first
    [event] = [event for event in deployment.watcher.of(TurnEnded) if event.method == "die_once"]
    assert (event.outcome, event.attempt) == ("ok", 2)


async def test_a_process_is_killed_when_its_caller_gives_up(ref: CruncherRef, tmp_path: Path) -> None:
    await ref.multiply(1)
    mark = tmp_path / "pid"
    with pytest.raises((SystemFaultError, TimeoutError)):
        await ref.with_options(timeout=SOON_SECONDS).spin(str(mark))
    assert await ref.multiply(2) == 6, "the lane is free"
    if mark.exists():
        pid = int(mark.read_text())
        await gone(pid)


async def test_other_actors_go_on_while_a_process_computes(
    ref: CruncherRef, deployment: Deployment, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    await ref.multiply(1)
    spinning = asyncio.ensure_future(ref.with_options(timeout=FIRST_SECONDS).spin(str(mark)))
    while not mark.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(LOOK_SECONDS)
    system = await deployment.system()
    assert await system.ref(CounterRef, "c1").increment() == 1
    spinning.cancel()


async def test_no_process_outlives_its_worker(deployment: Deployment, tmp_path: Path) -> None:
    system = await deployment.system()
    mark = tmp_path / "pid"
    async with deployment.worker(Cruncher, drain_timeout_seconds=0.0) as worker:
        ref = system.ref(CruncherRef, "c1")
        idle = await ref.where()
        spinning = asyncio.ensure_future(ref.spin(str(mark)))
        other = asyncio.ensure_future(system.ref(CruncherRef, "c2").where())
        await asyncio.wait([other])
        while not (mark.exists() and mark.read_text()):  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(LOOK_SECONDS)
        await worker.stop()
    spinning.cancel()
    for pid in {idle, other.result(), int(mark.read_text())}:
        await gone(pid)


async def test_a_thread_has_what_activate_made_and_the_loop_goes_on(
    ref: CruncherRef, deployment: Deployment
) -> None:
    assert await ref.thread() == ("actor-method", "made here")
    blocking = asyncio.ensure_future(ref.block(1))
    await blocked(1)
    system = await deployment.system()
    assert await system.ref(CounterRef, "c1").increment() == 1
    cruncher.OPEN.set()
    assert await blocking == 1


async def test_threads_of_interleaved_turns_run_side_by_side(ref: CruncherRef) -> None:
    blocking = [asyncio.ensure_future(ref.block_beside(n)) for n in range(5)]
    await blocked(5)
    cruncher.OPEN.set()
    assert await asyncio.gather(*blocking) == list(range(5))


async def test_a_thread_that_is_given_up_is_left_behind_and_said(
    ref: CruncherRef, deployment: Deployment
) -> None:
    await ref.get()  # it lives, so that a thread has begun by then
    with pytest.raises((SystemFaultError, TimeoutError)):
        await ref.with_options(timeout=SOON_SECONDS).block(1)
    [left] = await deployment.watcher.wait_for(LeftBehind)
    assert (str(left.address), left.method) == ("Cruncher/c1", "block")
    await ref.set_factor(4)
    assert await ref.get() == (4, []), "the lane is free"


async def test_as_many_threads_run_as_there_may(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Cruncher, threads_max=2):
        ref = system.ref(CruncherRef, "c1")
        blocking = [asyncio.ensure_future(ref.block_beside(n)) for n in range(4)]
        await blocked(2)
        assert await ref.get() == (3, [])
        assert len(cruncher.BLOCKED) == 2
        cruncher.OPEN.set()
        assert await asyncio.gather(*blocking) == list(range(4))


@pytest.mark.verify
async def test_who_finds_every_process_busy_waits_for_one_and_no_longer_than_it_may(
    deployment: Deployment, tmp_path: Path
) -> None:
    system = await deployment.system()
    mark = tmp_path / "pid"
    async with deployment.worker(Cruncher, processes_max=1, drain_timeout_seconds=0.0):
        busy = system.ref(CruncherRef, "c1").with_options(timeout=FIRST_SECONDS)
        other = system.ref(CruncherRef, "c2").with_options(timeout=FIRST_SECONDS)
        await busy.multiply(1)
        spinning = asyncio.ensure_future(busy.spin(str(mark)))
        while not mark.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(LOOK_SECONDS)
        with pytest.raises((SystemFaultError, TimeoutError)):
            await other.with_options(timeout=SOON_SECONDS).multiply(2)
        waiting = asyncio.ensure_future(other.multiply(2))
        spinning.cancel()
        assert await waiting == 6


async def test_a_class_no_other_process_can_import_is_refused(deployment: Deployment) -> None:
    @actor(partitions=1)
    class Hidden:
        """Exists in this function only."""

        @method.options(run_in="process")
        def compute(self) -> int:
            return 1

    system = await deployment.system()
    with pytest.raises(ConfigurationError, match=r"Hidden.*define it at the top of a module"):
        Worker(system, Hidden)
