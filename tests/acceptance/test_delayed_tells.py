"""Delayed tells: in order of their time, and never once they are cancelled."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from broker_actors import Ref, Settings, actor, method, turn
from broker_actors.core.events import TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef
from tests.acceptance.ledger import Ledger, LedgerRef
from tests.servers import RabbitServer

#: What the delay levels promise: whole seconds, and what the relay takes on its way.
GRAIN_SECONDS = 2.0
HANG_SECONDS = 150.0
#: Of the queues of a broker that is back, and of the connections to it.
RECOVERY_SECONDS = 10.0


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


async def told(deployment: Deployment, count: int, seconds: int) -> dict[int, float]:
    """Tell *count* numbers with mixed delays up to *seconds*; return when they are due."""
    system = await deployment.system()
    dice, due = random.Random(7), dict[int, float]()  # noqa: S311 - not for secrets
    slots = asyncio.Semaphore(200)

    async def one(number: int) -> None:
        async with slots:
            delay_seconds = dice.uniform(1, seconds)
            ref = system.ref(LedgerRef, f"l{number % 10}")
            handle = await ref.with_options(idempotency_key=f"n{number}").note.tell_after(
                delay_seconds, number
            )
            assert handle.due is not None
            due[number] = handle.due.timestamp()

    await asyncio.gather(*(one(number) for number in range(count)))
    return due


async def test_mixed_delays_arrive_in_order_of_their_time(deployment: Deployment) -> None:
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(Ledger):
        due = await told(deployment, 300, 5)
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "note", len(due))
        await check_order(deployment, due)


@pytest.mark.verify
@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_ten_thousand_mixed_delays_survive_a_killed_broker(
    rabbit_server: RabbitServer, redis_url: str
) -> None:
    url = await asyncio.to_thread(rabbit_server.vhosts.create)
    settings = Settings(
        url=url,
        redis_url=redis_url,
        publish_timeout_seconds=HANG_SECONDS,
        store_timeout_seconds=HANG_SECONDS,
    )

    def break_it() -> None:
        rabbit_server.kill()
        rabbit_server.restart()

    async with AsyncExitStack() as stack, asyncio.timeout(2 * HANG_SECONDS):
        fragile = Deployment(settings, None, stack)
        async with fragile.worker(Ledger):
            due = await told(fragile, 10_000, 60)
            began = time.monotonic()
            await asyncio.to_thread(break_it)
            outage_seconds = time.monotonic() - began
            await ran(fragile, len(due))
            # What changed its level meanwhile is late by the outage, and what did not is not.
            await check_order(fragile, due, outage_seconds + RECOVERY_SECONDS)


async def ran(deployment: Deployment, count: int) -> None:
    """Return when so many have run; the caller sets the deadline."""
    system = await deployment.system()
    refs = [system.ref(LedgerRef, f"l{n}").with_options(timeout=HANG_SECONDS) for n in range(10)]
    while sum([len(await ref.read()) for ref in refs]) < count:  # noqa: ASYNC110 - ten thousand events would be heavy to count
        await asyncio.sleep(0.5)


async def check_order(deployment: Deployment, due: dict[int, float], late_seconds: float = 0.0) -> None:
    """Fail unless each ran once, and none after one that was due so much later."""
    system = await deployment.system()
    ledgers = await asyncio.gather(*(system.ref(LedgerRef, f"l{n}").read() for n in range(10)))
    for numbers in ledgers:
        latest = 0.0
        for number in numbers:
            early_seconds = latest - due[number]
            assert early_seconds < GRAIN_SECONDS + late_seconds, f"{number} came {early_seconds} s late"
            latest = max(latest, due[number])
    assert sorted(number for numbers in ledgers for number in numbers) == sorted(due)
    assert time.time() >= max(due.values())
