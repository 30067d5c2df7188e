"""Stopping a durable flow: at any moment, again if need be, and not because of a deploy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from broker_actors.flow import DurableFlow, Flow, ParallelBatchNode, Status
from broker_actors.flow.durable.fans import Busy
from broker_actors.flow.durable.interrupts import InterruptedRunError, Interrupts
from broker_actors.testing import actor_test
from tests.unit.flow.story import durable

Shared = dict[str, Any]


class Stuck(ParallelBatchNode):
    """Its items run until they are stopped."""

    running: asyncio.Event

    def prep(self, shared: Shared) -> list[int]:
        return [1, 2]

    async def exec(self, prep_res: int) -> None:
        self.running.set()
        await asyncio.Event().wait()


class Done(ParallelBatchNode):
    def prep(self, shared: Shared) -> list[int]:
        return [1]

    def exec(self, prep_res: int) -> int:
        return prep_res


@pytest.fixture(autouse=True)
def _nothing_runs() -> None:
    Stuck.running = asyncio.Event()


async def test_what_is_stopped_between_two_steps_does_not_begin_the_next_one() -> None:
    begun: list[str] = []

    async def work() -> None:
        begun.append("work")

    interrupts = Interrupts()
    await interrupts.guard(work())
    interrupts.stop(Status.CANCELLED, "enough")
    with pytest.raises(InterruptedRunError):
        await interrupts.guard(work())
    assert (begun, interrupts.reason) == (["work"], "enough")


async def test_cancelling_once_more_stops_a_lane_that_has_not_heard_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story, ref_class = durable(Flow(Stuck()))
    stop = story._stop
    lost: list[list[Busy]] = []

    async def lossy(flow: DurableFlow, busy: list[Busy]) -> None:
        if lost:
            await stop(flow, busy)
        else:
            lost.append(busy)

    monkeypatch.setattr(DurableFlow, "_stop", lossy)
    async with actor_test(story) as kit:
        ref = kit.ref(ref_class, "s1")
        await ref.start({})
        await Stuck.running.wait()
        await ref.cancel("first")
        while not lost:
            await ref.status()
        await ref.cancel("second")
        await kit.settled()
        standing = await ref.status()
        assert (standing.status, standing.error) == (Status.CANCELLED, "first")


async def test_a_run_can_be_cancelled_before_it_was_started_without_effect() -> None:
    story, ref_class = durable(Flow(Done()))
    async with actor_test(story) as kit:
        ref = kit.ref(ref_class, "s1")
        await ref.cancel()
        await kit.settled()
        await ref.start({})
        await kit.settled()
        assert (await ref.status()).status is Status.DONE
