"""An actor that is live and idle costs its state and little else; ten thousand fit in one process."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from contextlib import AsyncExitStack, contextmanager
from statistics import quantiles
from typing import Final

import pytest

from broker_actors import ActorSystem, Settings
from broker_actors.bootstrap.backend import Embedded
from broker_actors.core.address import Address
from tests.acceptance.conftest import Deployment
from tests.acceptance.crowd import Agent, AgentRef, CensusRef
from tests.acceptance.processes import process

FEW: Final = 500
#: Of an actor that is live and idle, without what the store in this process has of it as well.
IDLE_BYTES_MAX: Final = 1_400
MANY: Final = 10_000
#: Resident, in a worker on real servers.
RESIDENT_BYTES_MAX: Final = 3 * 1024
#: Of ten thousand that have left, of which some 400 bytes each are remembered; all live were 20 MB or more.
DISPLACED_BYTES_MAX: Final = 12_000_000
HELD: Final = 2_000
WOKEN: Final = 500
AT_A_TIME: Final = 200
A_FEW: Final = 5
LOOKS_MAX: Final = 100
HANG_SECONDS: Final = 250.0
#: What an actor must not have while nothing is to be done for it.
WORKING: Final = frozenset({"Event", "Future", "Lock", "Queue", "Task", "coroutine", "deque", "function"})


@pytest.fixture
async def embedded() -> AsyncIterator[Deployment]:
    async with AsyncExitStack() as stack:
        yield Deployment(Settings(), Embedded(), stack)


async def called(system: ActorSystem, ids: Iterable[int]) -> None:
    """Ask the agents *ids*, so many at a time; each answers that it was its first call."""
    places = asyncio.Semaphore(AT_A_TIME)

    async def one(n: int) -> None:
        async with places:
            assert await agent(system, n).hear(n) == n

    async with asyncio.TaskGroup() as group:
        for n in ids:
            group.create_task(one(n))


def agent(system: ActorSystem, n: int) -> AgentRef:
    return system.ref(AgentRef, f"agent-{n:06}").with_options(timeout=HANG_SECONDS)


async def freed_with(deployment: Deployment, ids: range, measure: Callable[[], Counter[str]]) -> Counter[str]:
    """Return what goes with a worker that has the live agents *ids*, and with nothing else."""
    system = await deployment.system()
    async with deployment.worker(Agent) as worker:
        await called(system, ids)
        assert worker.residents == len(ids)
        with_them = measure()
    del worker
    deployment.watcher.events.clear()
    with_them.subtract(measure())
    return with_them


def objects() -> Counter[str]:
    gc.collect()
    return Counter(name for one in gc.get_objects() if (name := type(one).__name__) in WORKING)


def traced_bytes() -> Counter[str]:
    gc.collect()
    return Counter(bytes=tracemalloc.get_traced_memory()[0])


@contextmanager
def tracing() -> Generator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


async def test_an_idle_actor_takes_few_bytes(embedded: Deployment) -> None:
    with tracing():
        # The worker itself, and what is made once.
        alone = await freed_with(embedded, range(1, 2), traced_bytes)
        crowded = await freed_with(embedded, range(2, FEW + 3), traced_bytes)
    assert (crowded["bytes"] - alone["bytes"]) / FEW < IDLE_BYTES_MAX


async def test_an_idle_actor_has_no_task_lock_queue_or_closure(embedded: Deployment) -> None:
    alone = await freed_with(embedded, range(1, 2), objects)
    crowded = await freed_with(embedded, range(2, FEW + 3), objects)
    crowded.subtract(alone)
    assert {name: count for name, count in crowded.items() if count >= FEW / 10} == {}


@pytest.mark.verify
@pytest.mark.alone
@pytest.mark.timeout(HANG_SECONDS + 50)
async def test_one_process_has_ten_thousand_live_actors(
    real: Deployment, record_property: Callable[[str, object], None]
) -> None:
    system = await real.system()
    census = system.ref(CensusRef, "here").with_options(timeout=HANG_SECONDS)
    async with process(real, "worker", "tests.acceptance.crowd"):
        # Whatever is loaded or opened once is there from now on.
        await called(system, range(1, AT_A_TIME + 1))
        before = await census.take()
        await called(system, range(AT_A_TIME + 1, MANY))
        after = await at_rest(census, before)
        live_seconds = await latencies(system, range(MANY - WOKEN, MANY))
        # Ten thousand others come, and whoever lived before has left memory for them.
        await called(system, range(MANY, 2 * MANY))
        claimed = await claims(system, range(1, WOKEN + 1))
        assert len(claimed) == WOKEN
        wake_seconds = await latencies(system, range(1, WOKEN + 1))
        assert await claims(system, range(1, WOKEN + 1)) & claimed == set(), "each had left, and came back"
        in_the_end = await at_rest(census, before)
        residents = [report.residents for _, report in await system.backend.members.everyone()]
    resident_bytes = (after["bytes"] - before["bytes"]) / (MANY - AT_A_TIME - 1)
    figures = {
        "bytes resident per live actor": round(resident_bytes),
        "tasks before and after": (before["tasks"], after["tasks"], in_the_end["tasks"]),
        "files before and after": (before["files"], after["files"], in_the_end["files"]),
        "megabytes after and in the end": (
            round(after["bytes"] / 1e6, 1),
            round(in_the_end["bytes"] / 1e6, 1),
        ),
        "ask of a live one, ms, p50 and p99": milliseconds(live_seconds),
        "ask that wakes one, ms, p50 and p99": milliseconds(wake_seconds),
    }
    for name, figure in figures.items():
        record_property(name, figure)
        sys.stdout.write(f"{name}: {figure}\n")
    assert resident_bytes < RESIDENT_BYTES_MAX
    assert in_the_end["bytes"] - after["bytes"] < DISPLACED_BYTES_MAX
    # A report is some seconds old, and who is about to leave still counts.
    assert max(residents) <= MANY + AT_A_TIME
    # What is opened when it is first needed, such as the connection that renews the lease, and the turns that
    # run: a few, however many actors there are.
    for later in (after, in_the_end):
        assert later["tasks"] - before["tasks"] <= A_FEW
        assert abs(later["files"] - before["files"]) <= A_FEW


@pytest.mark.verify
@pytest.mark.alone
@pytest.mark.timeout(HANG_SECONDS + 50)
async def test_a_worker_serves_ten_times_as_many_actors_as_it_holds(
    real: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_RESIDENTS_MAX", str(HELD))
    system = await real.system()
    async with asyncio.timeout(HANG_SECONDS), process(real, "worker", "tests.acceptance.crowd"):
        await called(system, range(1, 10 * HELD + 1))
        # The first one left long ago, and has not forgotten.
        assert await agent(system, 1).hear(1) == 2
        residents = [report.residents for _, report in await system.backend.members.everyone()]
    # A report is some seconds old, and who is about to leave still counts.
    assert max(residents) <= HELD + AT_A_TIME


async def at_rest(census: CensusRef, before: dict[str, int]) -> dict[str, int]:
    """Return what the process holds once turns that have answered have ended, a moment later."""
    taken = await census.take()
    for _ in range(LOOKS_MAX):
        if taken["tasks"] <= before["tasks"] + A_FEW:
            break
        taken = await census.take()
    return taken


async def claims(system: ActorSystem, ids: range) -> set[tuple[int, int]]:
    """Return when each of the agents *ids* was woken last."""
    found = [(n, await system.backend.store.peek(Address("Agent", f"agent-{n:06}"))) for n in ids]
    return {(n, snapshot.epoch) for n, snapshot in found if snapshot is not None}


async def latencies(system: ActorSystem, ids: Iterable[int]) -> list[float]:
    """Return how long it takes to ask the agents *ids* once more, one after the other."""
    taken: list[float] = []
    for n in ids:
        began_seconds = time.perf_counter()
        assert await agent(system, n).hear(n) == 2 * n
        taken.append(time.perf_counter() - began_seconds)
    return taken


def milliseconds(taken_seconds: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    cuts = quantiles(taken_seconds, n=100)
    return round(1000 * cuts[49], 2), round(1000 * cuts[98], 2)
