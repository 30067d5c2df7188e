"""Delayed tells: listed while they wait, and never run once they are cancelled."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from broker_actors import Ref, actor, method, turn
from broker_actors.core.events import TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef


@actor(partitions=2)
class Planner:
    """Tells counters later, from inside its turns."""

    planned: str = ""

    @method
    async def plan(self, counter: str, seconds: float) -> str:
        handle = await turn.current().ref(CounterRef, counter).append.tell_after(seconds, "planned ")
        self.planned = handle.id
        return self.planned

    @method
    async def call_off(self) -> bool:
        return await turn.current().scheduled(self.planned).cancel()

    @method
    async def plan_and_call_off(self, counter: str) -> bool:
        handle = await turn.current().ref(CounterRef, counter).append.tell_after(1, "called off ")
        return await handle.cancel()


class PlannerRef(Planner, Ref):
    """Typed handle."""


async def settled(deployment: Deployment, count: int) -> None:
    """Return when so many turns of `append` have ended."""
    await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "append", count)


async def test_a_cancelled_tell_never_runs(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        first = await counter.append.tell_after(1, "cancelled ")
        await counter.append.tell_after(2, "kept ")
        assert await first.cancel()
        await settled(deployment, 1)
        assert await counter.read() == "kept "
        assert await system.backend.store.schedules("Counter") == []


async def test_another_process_cancels_it_by_its_id(deployment: Deployment) -> None:
    system, elsewhere = await deployment.system(), await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        name = (await counter.append.tell_after(1, "cancelled ")).id
        assert await elsewhere.scheduled(name).cancel()
        await counter.append.tell_after(2, "kept ")
        await settled(deployment, 1)
        assert await counter.read() == "kept "


async def test_what_has_run_cannot_be_cancelled(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        yesterday = datetime.fromtimestamp(time.time(), UTC) - timedelta(days=1)
        handle = await counter.append.tell_at(yesterday, "at once ")
        await settled(deployment, 1)
        assert not await handle.cancel()
        assert await counter.read() == "at once "


async def test_what_a_turn_plans_leaves_with_it_and_a_later_turn_calls_it_off(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter, Planner):
        planner, counter = system.ref(PlannerRef, "p1"), system.ref(CounterRef, "c1")
        name = await planner.plan("c1", 1)
        assert await planner.call_off()
        assert await system.ref(PlannerRef, "p2").plan_and_call_off("c1")
        assert name != await planner.plan("c1", 1)
        await settled(deployment, 1)
        assert await counter.read() == "planned "


async def test_what_is_delayed_is_listed_until_it_is_due(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        soon = await counter.append.tell_after(1, "soon ")
        years = await counter.append.tell_after(timedelta(days=20 * 365), "in twenty years")
        store = system.backend.store
        assert [entry.id for entry in await store.schedules("Counter")] == [soon.id, years.id]
        await settled(deployment, 1)
        assert [entry.id for entry in await store.schedules("Counter")] == [years.id]


async def test_what_is_cancelled_while_it_waits_behind_others_never_runs(deployment: Deployment) -> None:
    system = await deployment.system()
    counter = system.ref(CounterRef, "c1")
    async with deployment.worker(Counter):
        await counter.append("begun ")
    handle = await counter.append.tell_at(datetime.fromtimestamp(time.time(), UTC), "cancelled ")
    assert await handle.cancel(), "it is in the mailbox"
    async with deployment.worker(Counter):
        await counter.append.tell("kept ")
        assert await counter.read() == "begun kept "
