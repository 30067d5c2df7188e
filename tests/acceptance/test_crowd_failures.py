"""Many actors on a worker that holds a few: cancelled, slow, late, killed. None forgets, nothing stays."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Final

import pytest

from broker_actors import ActorSystem, AskTimeoutError, Ref, SystemFaultError, actor, method, turn
from broker_actors.core.events import TurnEnded
from tests.acceptance import crowd
from tests.acceptance.conftest import Deployment
from tests.acceptance.gate import Gate
from tests.acceptance.processes import process
from tests.acceptance.watching import HANG_SECONDS

pytestmark = pytest.mark.embedded_first

HELD: Final = 3
CROWD: Final = 30
#: If anything of each of them stayed, it would be seen.
MANY: Final = 300
#: A guard against hanging: interpreters start, and those who were killed are missed after their lease.
KILLED_HANG_SECONDS: Final = 150.0
#: A deadline that passes while a test waits for it.
SOON: Final = 0.3
#: Tasks that are about to end, and who is on its way out.
A_FEW: Final = 10
SLEEPY, LINGERING = "sleepy", "lingering"
#: What there is of a live actor, and of a turn of it.
PARTS: Final = frozenset({"Activation", "Agent", "SharedLedger", "StoreLedger", "Parking", "Task", "Event"})


class AgentRef(Ref):
    """The actor of these tests, as its callers see it."""

    @method
    async def hear(self, n: int) -> int:
        raise NotImplementedError

    @method
    async def work(self, n: int) -> int:
        raise NotImplementedError


class Doors:
    """Where slow agents are held up: when they wake, work and leave."""

    def __init__(self) -> None:
        self.waking, self.working, self.leaving = Gate(), Gate(), Gate()
        #: How often which agent has woken.
        self.woken = Counter[str]()


def agent(doors: Doors) -> type:
    @actor(name="AgentRef", partitions=2)
    class Agent:
        heard: int = 0

        async def activate(self) -> None:
            self._id = turn.current().actor_id
            if self._id == SLEEPY:
                async with doors.waking.passing():
                    pass
            doors.woken[self._id] += 1

        async def deactivate(self) -> None:
            if self._id == LINGERING:
                async with doors.leaving.passing():
                    pass

        @method
        def hear(self, n: int) -> int:
            self.heard += n
            return self.heard

        @method
        async def work(self, n: int) -> int:
            self.heard += n
            async with doors.working.passing():
                return self.heard

    return Agent


@pytest.fixture
def doors() -> Doors:
    return Doors()


def crowd_of(system: ActorSystem, ids: range) -> list[AgentRef]:
    return [system.ref(AgentRef, f"a{n}") for n in ids]


def parts() -> Counter[str]:
    gc.collect()
    return Counter(name for one in gc.get_objects() if (name := type(one).__name__) in PARTS)


async def test_whom_a_crowd_displaces_comes_back_with_its_state_and_nothing_of_the_crowd_stays(
    deployment: Deployment, doors: Doors
) -> None:
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(agent(doors), residents_max=HELD) as worker:
        first, *others = crowd_of(system, range(MANY))
        assert await first.hear(1) == 1
        assert [await other.hear(1) for other in others[:CROWD]] == [1] * CROWD
        few = parts()
        assert few["Activation"] <= HELD + 1, "one more may be on its way out"
        assert [await other.hear(1) for other in others[CROWD:]] == [1] * (MANY - 1 - CROWD)
        assert await first.hear(1) == 2
        assert doors.woken["a0"] == 2, "it had left"
        assert worker.residents <= HELD + 1
        many = parts()
        many.subtract(few)
        assert {part: count for part, count in many.items() if count > A_FEW} == {}


@pytest.mark.parametrize("how", ["cancelled", "late"])
async def test_who_was_being_woken_for_a_caller_that_left_wakes_for_the_next_one(
    deployment: Deployment, doors: Doors, how: str
) -> None:
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(agent(doors), residents_max=HELD):
        sleepy = system.ref(AgentRef, SLEEPY)
        if how == "cancelled":
            calling = asyncio.ensure_future(sleepy.hear(1))
            await doors.waking.holds(1)
            calling.cancel()
        else:
            with pytest.raises((AskTimeoutError, SystemFaultError)):
                await sleepy.with_options(timeout=SOON).hear(1)
        await doors.waking.holds(0)
        assert not doors.woken
        doors.waking.open.set()
        assert await sleepy.hear(2) == 2
        assert doors.woken[SLEEPY] == 1


async def test_who_wakes_slowly_holds_up_nobody_but_its_callers(deployment: Deployment, doors: Doors) -> None:
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(agent(doors), residents_max=HELD) as worker:
        sleepy = system.ref(AgentRef, SLEEPY)
        calling = [asyncio.ensure_future(sleepy.hear(n)) for n in (1, 2)]
        await doors.waking.holds(1)
        assert [await other.hear(1) for other in crowd_of(system, range(CROWD))] == [1] * CROWD
        assert worker.residents <= HELD + 1, "they displace each other meanwhile"
        doors.waking.open.set()
        assert await asyncio.gather(*calling) == [1, 3]


async def test_who_works_stays_however_many_come_after_it(deployment: Deployment, doors: Doors) -> None:
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(agent(doors), residents_max=HELD) as worker:
        busy = system.ref(AgentRef, "busy")
        working = asyncio.ensure_future(busy.work(1))
        await doors.working.holds(1)
        assert [await other.hear(1) for other in crowd_of(system, range(CROWD))] == [1] * CROWD
        assert worker.residents <= HELD + 1, "others left instead"
        doors.working.open.set()
        assert await working == 1
        assert await busy.hear(1) == 2
        assert doors.woken["busy"] == 1
    [worked] = [event for event in deployment.watcher.of(TurnEnded) if event.method == "work"]
    assert (worked.outcome, worked.attempt) == ("ok", 1)


async def test_who_leaves_slowly_holds_up_nobody_but_its_next_caller(
    deployment: Deployment, doors: Doors
) -> None:
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(agent(doors), residents_max=HELD):
        lingering = system.ref(AgentRef, LINGERING)
        assert await lingering.hear(1) == 1
        assert [await other.hear(1) for other in crowd_of(system, range(CROWD))] == [1] * CROWD
        await doors.leaving.holds(1)
        calling = asyncio.ensure_future(lingering.hear(1))
        assert [await other.hear(1) for other in crowd_of(system, range(CROWD))] == [2] * CROWD
        assert not calling.done()
        doors.leaving.open.set()
        assert await calling == 2
        assert doors.woken[LINGERING] == 2


async def test_whom_a_worker_had_held_or_displaced_the_next_one_has(
    deployment: Deployment, doors: Doors
) -> None:
    system = await deployment.system()
    everybody = crowd_of(system, range(CROWD))
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        async with deployment.worker(agent(doors), residents_max=HELD, drain_timeout_seconds=0.0):
            assert [await one.hear(1) for one in everybody] == [1] * CROWD
            cut_off = [tasks.create_task(one.work(1)) for one in everybody]
            await doors.working.holds(CROWD)
        doors.working.open.set()
        async with deployment.worker(agent(doors), residents_max=HELD) as worker:
            assert [await one for one in cut_off] == [2] * CROWD
            assert [await one.hear(1) for one in everybody] == [3] * CROWD
            assert worker.residents <= HELD + 1


@pytest.mark.verify
@pytest.mark.timeout(2 * KILLED_HANG_SECONDS)
async def test_a_killed_worker_with_many_actors_costs_none_of_them_its_state(
    real: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_RESIDENTS_MAX", str(MANY // 10))
    system = await real.system()
    everybody = [
        system.ref(crowd.AgentRef, f"a{n}").with_options(timeout=KILLED_HANG_SECONDS) for n in range(MANY)
    ]
    async with (
        asyncio.timeout(KILLED_HANG_SECONDS),
        process(real, "worker", "tests.acceptance.crowd") as worker,
    ):
        assert [await one.hear(1) for one in everybody] == [1] * MANY
        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(one.hear(1)) for one in everybody]
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            worker.kill()
            async with process(real, "worker", "tests.acceptance.crowd"):
                assert await asyncio.gather(*asking) == [2] * MANY
