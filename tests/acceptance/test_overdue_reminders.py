"""Reminders go on although the broker has lost their ticks."""

from __future__ import annotations

import asyncio

import aiormq

from broker_actors import ActorSystem
from broker_actors.bootstrap.backend import Embedded
from broker_actors.core.events import Trouble, TurnEnded
from broker_actors.ports.transport import Delivery
from broker_actors.runtime.overdue import Overdue
from broker_actors.testing import ActorKit, VirtualClock
from tests.acceptance.bell import Bell, BellRef
from tests.acceptance.conftest import Deployment
from tests.acceptance.test_reminders import due_times, rang

PERIOD_SECONDS = 3.5
#: Where the first tick waits: for two seconds of less than four.
LEVEL = "actors.delay.01"
#: As if what is due within ten seconds were overdue: it is sent again, and comes when it is due.
AHEAD_MS = -10_000


async def lose_the_tick(deployment: Deployment, system: ActorSystem) -> None:
    """Have the broker forget what waits in the level."""
    transport = system.backend.transport
    assert (await transport.depth(LEVEL)).ready == 1
    if deployment.is_real:
        connection = await aiormq.connect(deployment.settings.url)
        await (await connection.channel()).queue_purge(LEVEL)
        await connection.close()
    else:
        found: asyncio.Queue[Delivery] = asyncio.Queue()
        consumer = await transport.consume(LEVEL, found.put_nowait, prefetch=1)
        (await found.get()).ack()
        await consumer.close()
    assert (await transport.depth(LEVEL)).ready == 0


async def look(system: ActorSystem, *, owns: bool = True) -> None:
    """Look as a worker would that owns every mailbox, or none."""
    backend = system.backend
    overdue = Overdue(system.dispatch, backend.store, backend.clock, backend.observer, lambda _mailbox: owns)
    await overdue.look("Bell", grace_ms=AHEAD_MS)


async def test_a_lost_tick_is_sent_again_and_has_its_effect_once(deployment: Deployment) -> None:
    system, watcher = await deployment.system(), deployment.watcher
    async with deployment.worker(Bell):
        bell = system.ref(BellRef, "b1")
        await bell.ring_every(PERIOD_SECONDS, "ding")
        await lose_the_tick(deployment, system)
        await look(system, owns=False)
        assert not watcher.of(Trouble)
        await look(system)
        await look(system)
        assert [trouble.where for trouble in watcher.of(Trouble)] == ["overdue reminder of Bell/b1"] * 2
        await watcher.wait_for(TurnEnded, rang, 2)
        assert len(due_times(deployment)) == 1, "the other one is void"
        assert await bell.rung() == ["ding"]


async def test_a_worker_looks_for_overdue_reminders_by_itself() -> None:
    embedded = Embedded(VirtualClock())
    async with ActorKit(embedded, (Bell,), None) as kit:
        bell = kit.ref(BellRef, "b1")
        await bell.ring_every(3600, "ding")
        embedded.broker.queue("actors.delay.11").ready.clear()
        await kit.advance(3600 + 30)
        assert await bell.rung() == []
        for _ in range(4):
            await kit.advance(60)
        assert await bell.rung() == ["ding"]
        await kit.advance(3600)
        assert await bell.rung() == ["ding"] * 2, "and it goes on as before"
