"""Reminders: set with a turn, ticking whoever lives, each tick once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import pairwise

import pytest

from broker_actors import BusinessError, Settings
from broker_actors.core import body
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.events import TurnEnded
from broker_actors.core.reminders import id_of, unpack
from broker_actors.core.scheduled import Scheduled
from broker_actors.core.topology import Layout
from tests.acceptance.bell import Bell, BellRef
from tests.acceptance.conftest import Deployment
from tests.servers import RabbitServer

#: A guard against hanging.
HANG_SECONDS = 60.0


def rang(event: TurnEnded) -> bool:
    """Return whether that was a tick."""
    return event.method in {"ring", "stumble"}


def rang_anew(event: TurnEnded) -> bool:
    """Return whether that was a tick that had not run before."""
    return rang(event) and event.outcome != "duplicate"


def due_times(deployment: Deployment) -> list[int]:
    """Return when the ticks that have run were due."""
    ended = [event for event in deployment.watcher.of(TurnEnded) if rang_anew(event)]
    return [int(event.message_id.rpartition("@")[2]) for event in ended]


async def test_it_ticks_until_it_is_forgotten(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Bell):
        bell = system.ref(BellRef, "b1")
        await bell.ring_every(1, "ding")
        await deployment.watcher.wait_for(TurnEnded, rang, 2)
        assert await bell.silence()
        rung = await bell.rung()
        assert set(rung) == {"ding"}
        assert await bell.plans() == []
        assert not await bell.silence()
    due = due_times(deployment)
    assert [later - earlier for earlier, later in pairwise(due)] == [1_000] * (len(due) - 1)


async def test_it_is_set_together_with_its_turn_or_never(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Bell):
        bell = system.ref(BellRef, "b1")
        with pytest.raises(BusinessError):
            await bell.ring_and_fail(1)
        assert await bell.plans() == []
        await bell.ring_every(3600, "ding")
        assert await bell.plans() == ["ring: ring every 3600 s, missed: once"]
        await bell.ring_at("0 9 * * mon-fri", "Europe/Berlin", "skip")
        assert await bell.plans() == ["ring: ring cron 0 9 * * mon-fri Europe/Berlin, missed: skip"]


async def test_saying_the_same_again_changes_nothing(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Bell):
        bell, store = system.ref(BellRef, "b1"), system.backend.store
        await bell.ring_every(3600, "ding")
        before = await store.all_reminders("Bell")
        await bell.ring_every(3600, "ding")
        assert await store.all_reminders("Bell") == before
        await bell.ring_every(3600, "dong")
        assert await store.all_reminders("Bell") != before


async def test_a_tick_that_fails_stops_nothing(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Bell):
        await system.ref(BellRef, "b1").stumble_every(1)
        await deployment.watcher.wait_for(TurnEnded, rang, 2)
    assert {event.outcome for event in deployment.watcher.of(TurnEnded) if rang(event)} == {"dead_lettered"}


async def test_what_is_replaced_ticks_no_more(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Bell):
        bell = system.ref(BellRef, "b1")
        await bell.ring_every(2, "old")
        await bell.ring_every(1, "new")
        await deployment.watcher.wait_for(TurnEnded, lambda e: rang(e) and e.outcome == "ok", 3)
        assert set(await bell.rung()) == {"new"}


async def test_anybody_can_cancel_it_by_its_id(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Bell):
        bell = system.ref(BellRef, "b1")
        await bell.ring_every(1, "ding")
        handle = system.scheduled(Scheduled(bell.address, id_of("ring")).id)
        assert [await handle.cancel(), await handle.cancel()] == [True, False]
        await deployment.watcher.wait_for(TurnEnded, lambda e: rang(e) and e.outcome == "duplicate")
        assert await bell.rung() == []


async def test_a_tick_of_a_stranger_that_numbers_it_rings_nothing(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Bell):
        bell = system.ref(BellRef, "b1")
        layout = Layout("Bell", partitions=2)
        first = Envelope(bell.address, "rung", sender="stranger", seq=1, low=1)
        tick = replace(first, method="ring", body=body.encode(["ding"], {}), seq=2, reminder="ring")
        for envelope in (first, tick):
            await system.backend.transport.publish(layout.route_to(bell.address), to_wire(envelope))
        await deployment.watcher.wait_for(TurnEnded, lambda e: rang(e) and e.outcome == "duplicate")
        assert await bell.rung() == []


@pytest.fixture
async def fragile(rabbit_server: RabbitServer, redis_url: str) -> AsyncIterator[Deployment]:
    """A deployment on a broker this test may break."""
    async with AsyncExitStack() as stack:
        url = await asyncio.to_thread(rabbit_server.vhosts.create)
        settings = Settings(
            url=url,
            redis_url=redis_url,
            publish_timeout_seconds=HANG_SECONDS,
            store_timeout_seconds=HANG_SECONDS,
        )
        yield Deployment(settings, None, stack)


@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_killing_the_worker_misses_no_tick_and_doubles_none(fragile: Deployment) -> None:
    system = await fragile.system()
    environment = {
        **os.environ,
        "BROKER_ACTORS_URL": fragile.settings.url,
        "BROKER_ACTORS_REDIS_URL": fragile.settings.redis_url,
    }
    program = (sys.executable, "-m", "broker_actors.cli", "worker", "tests.acceptance.bell")
    async with asyncio.timeout(2 * HANG_SECONDS):
        bell = system.ref(BellRef, "b1").with_options(timeout=HANG_SECONDS)
        process = await asyncio.create_subprocess_exec(*program, env=environment)
        await bell.ring_every(1, "ding", "all")
        while len(await bell.rung()) < 2:  # noqa: ASYNC110 - it is another process that knows
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        async with fragile.worker(Bell):
            await fragile.watcher.wait_for(TurnEnded, rang_anew, 4)
            assert await bell.silence()
            due = due_times(fragile)
            assert len(await bell.rung()) >= 2 + len(due)
        assert due == list(range(due[0], due[-1] + 1, 1_000)), "a tick is missing, or came twice"


@pytest.mark.verify
@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_an_outage_of_the_broker_misses_no_tick_and_doubles_none(
    fragile: Deployment, rabbit_server: RabbitServer
) -> None:
    system = await fragile.system()
    async with asyncio.timeout(2 * HANG_SECONDS), fragile.worker(Bell):
        bell = system.ref(BellRef, "b1").with_options(timeout=HANG_SECONDS)
        await bell.ring_every(1, "ding", "all")
        await fragile.watcher.wait_for(TurnEnded, rang, 1)
        await asyncio.to_thread(rabbit_server.kill)
        await asyncio.to_thread(rabbit_server.restart)
        await fragile.watcher.wait_for(TurnEnded, rang, 6)
        assert await bell.silence()
        rung = await bell.rung()
    due = sorted(set(due_times(fragile)))
    assert due == list(range(due[0], due[-1] + 1, 1_000)), "a tick is missing"
    assert len(rung) == len(due), "a tick came twice"


async def test_the_store_lists_what_is_to_come(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Bell):
        await system.ref(BellRef, "late").ring_every(7200, "ding")
        await system.ref(BellRef, "early").ring_every(3600, "ding")
        found = await system.backend.store.all_reminders("Bell")
        assert [(address.id, name) for address, name, _ in found] == [("early", "ring"), ("late", "ring")]
        assert [unpack(one).method for _, _, one in found] == ["ring", "ring"]
