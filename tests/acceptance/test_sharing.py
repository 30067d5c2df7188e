"""Workers that come and go: mailboxes are shared, and move without anybody noticing."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import ClassVar

import pytest

from broker_actors import Ref, Settings, Worker, actor, method
from broker_actors.core.events import ConsumerOpened, HandedOver, TurnEnded
from broker_actors.core.topology import Layout
from tests.acceptance import moving
from tests.acceptance.conftest import Deployment
from tests.acceptance.moving import Sequence


@actor(partitions=8)
class Hall:
    """Keeps whoever enters until it may leave."""

    entered: ClassVar[asyncio.Event]
    may_leave: ClassVar[asyncio.Event]

    @method
    async def wait(self) -> str:
        Hall.entered.set()
        await Hall.may_leave.wait()
        return "left"

    @method
    def pass_by(self) -> str:
        return "passed"


class HallRef(Hall, Ref):
    """Typed handle."""


HALLS = Layout("Hall")
MAILBOXES = frozenset(f"actors.Sequence.g1.{n}" for n in range(8))
#: How long a mailbox may be without anybody who works, as promised.
GAP_SECONDS_MAX = 2.0
HANG_SECONDS = 30.0


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Return when *met*; what workers agree upon is not announced, so it has to be looked at."""
    async with asyncio.timeout(HANG_SECONDS):
        while not await met():  # noqa: ASYNC110 - no event tells that workers agree
            await asyncio.sleep(0.05)


async def settled(*workers: Worker) -> None:
    """Return when every mailbox is consumed by its owner and one who stands by, as far as there are two."""

    async def met() -> bool:
        members = [member for member, _ in await workers[0].members.everyone()]
        consumers = [sum(mailbox in m.consuming for m in members) for mailbox in MAILBOXES]
        owners = [sum(one.owns(mailbox) for one in workers) for mailbox in MAILBOXES]
        return set(owners) == {1} and set(consumers) == {min(2, len(workers))}

    await until(met)


async def test_two_workers_share_the_mailboxes_of_a_type(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Sequence) as first, deployment.worker(Sequence) as second:
        await settled(first, second)
        owned = [{mailbox for mailbox in MAILBOXES if one.owns(mailbox)} for one in (first, second)]
        assert owned[0] | owned[1] == MAILBOXES
        assert not owned[0] & owned[1]
        assert len(owned[0]) == len(owned[1])
        async with moving.load(system) as seen:
            await deployment.watcher.wait_for(TurnEnded, count=500)
            # The first worker had every mailbox to itself before, and gives away what it is served from.
            await until(lambda: _all_served_by_owner(first, second))
        await moving.check(system, seen)


async def _all_served_by_owner(*workers: Worker) -> bool:
    return all(one.owns(mailbox) for one in workers for mailbox in one.served)


async def test_a_worker_that_stops_leaves_its_mailboxes_to_who_stands_by(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Sequence) as first:
        async with deployment.worker(Sequence) as second:
            await settled(first, second)
            async with moving.load(system) as seen:
                await deployment.watcher.wait_for(TurnEnded, count=200)
                await second.stop()
                await deployment.watcher.wait_for(TurnEnded, count=600)
        await moving.check(system, seen)
        assert seen.slowest_seconds < GAP_SECONDS_MAX


@pytest.mark.parametrize(
    "enough", [8, pytest.param(100, marks=[pytest.mark.verify, pytest.mark.alone, pytest.mark.timeout(600)])]
)
async def test_hand_overs_under_load_lose_double_reorder_and_bury_nothing(
    deployment: Deployment, enough: int, record_property: Callable[[str, object], None]
) -> None:
    system = await deployment.system()
    async with deployment.worker(Sequence) as first:
        async with moving.load(system) as seen:
            while len(deployment.watcher.of(HandedOver)) < enough:
                async with deployment.worker(Sequence) as second:
                    await settled(first, second)
                    await until(partial(_all_served_by_owner, first, second))
        await moving.check(system, seen)
    assert (await system.backend.transport.depth("actors.dead.Sequence")).ready == 0
    assert seen.slowest_seconds < GAP_SECONDS_MAX
    handed_over, calls = len(deployment.watcher.of(HandedOver)), sum(seen.sent.values())
    record_property("hand-overs", f"{handed_over}, slowest of {calls} calls {seen.slowest_seconds:.2f} s")


async def test_a_mailbox_is_opened_once_by_each_of_its_consumers(deployment: Deployment) -> None:
    async with deployment.worker(Sequence) as first, deployment.worker(Sequence) as second:
        await settled(first, second)
        opened = [event.mailbox for event in deployment.watcher.of(ConsumerOpened)]
        assert {mailbox: opened.count(mailbox) for mailbox in MAILBOXES} == dict.fromkeys(MAILBOXES, 2)


async def test_one_long_turn_of_a_stopping_worker_holds_up_no_other_mailbox(deployment: Deployment) -> None:
    Hall.entered, Hall.may_leave = asyncio.Event(), asyncio.Event()
    system = await deployment.system()
    both = (Sequence, Hall)
    async with deployment.worker(*both) as stays, deployment.worker(*both) as joins:
        await settled(stays, joins)
        # One of those that never moved, so the worker that was there first runs it.
        hall_id = next(f"h{n}" for n in range(99) if stays.owns(HALLS.mailbox_of(f"h{n}")))
        waiting = asyncio.ensure_future(
            system.ref(HallRef, hall_id).with_options(timeout=HANG_SECONDS).wait()
        )
        await Hall.entered.wait()
        stopping = asyncio.ensure_future(stays.stop())
        answers = [system.ref(moving.SequenceRef, f"s{n}").take(0) for n in range(moving.ACTORS)]
        assert await asyncio.gather(*answers) == [0] * moving.ACTORS
        assert not stopping.done()
        assert stays.status().reasons == ("the worker is stopping",)
        Hall.may_leave.set()
        assert await waiting == "left"
        await stopping


async def test_a_mailbox_that_moves_is_served_though_one_of_its_turns_is_long(deployment: Deployment) -> None:
    Hall.entered, Hall.may_leave = asyncio.Event(), asyncio.Event()
    system = await deployment.system()
    async with deployment.worker(Hall):
        ids = [f"h{n}" for n in range(40)]
        waiting = [asyncio.ensure_future(system.ref(HallRef, ids[n]).wait()) for n in range(16)]
        await Hall.entered.wait()
        async with deployment.worker(Hall) as joins:
            moving_ids = [one for one in ids[16:] if joins.owns(HALLS.mailbox_of(one))]
            assert moving_ids
            slowest_seconds = 0.0
            for _ in range(10):
                began_seconds = time.monotonic()
                answers = [system.ref(HallRef, one).pass_by() for one in moving_ids]
                assert set(await asyncio.gather(*answers)) == {"passed"}
                slowest_seconds = max(slowest_seconds, time.monotonic() - began_seconds)
                await asyncio.sleep(0.2)  # beats in between
            assert slowest_seconds < GAP_SECONDS_MAX
            Hall.may_leave.set()
            assert set(await asyncio.gather(*waiting)) == {"left"}


async def test_a_killed_owner_gets_nothing_back_and_nobody_waits_for_it(
    amqp_url: str, redis_url: str
) -> None:
    async with AsyncExitStack() as stack:
        real = Deployment(Settings(url=amqp_url, redis_url=redis_url), None, stack)
        system = await real.system()
        urls = {"BROKER_ACTORS_URL": amqp_url, "BROKER_ACTORS_REDIS_URL": redis_url}
        command = [sys.executable, "-m", "broker_actors.cli", "worker", "tests.acceptance.moving"]
        async with real.worker(Sequence) as survivor:
            process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **urls})
            try:
                async with moving.load(system) as seen:
                    await until(partial(_lives_beside_another, survivor))
                    # What the newcomer owns is served by it: nothing of that is left to be handed over.
                    await until(partial(_all_served_by_owner, survivor))
                    before = len(real.watcher.of(HandedOver))
                    process.kill()
                    seen.slowest_seconds = 0.0
                    await until(partial(_lives_alone, survivor))
                    await real.watcher.wait_for(TurnEnded, count=len(real.watcher.of(TurnEnded)) + 100)
            finally:
                await process.wait()
            assert len(real.watcher.of(HandedOver)) == before
            assert seen.slowest_seconds < GAP_SECONDS_MAX
            await moving.check(system, seen)


async def _lives_beside_another(worker: Worker) -> bool:
    return any(not worker.owns(mailbox) for mailbox in MAILBOXES)


async def _lives_alone(worker: Worker) -> bool:
    return all(worker.owns(mailbox) for mailbox in MAILBOXES)
