"""Whom the run of a suspect is charged to, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope
from broker_actors.core.wire import WireMessage
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.services import Services
from broker_actors.runtime.suspects import BESIDE_OTHERS_MAX, Suspects, Trial

ACTOR = Address("Counter", "c1")


@dataclass
class Redelivered:
    """A delivery that was in other hands before."""

    message: WireMessage = field(default_factory=WireMessage)
    redelivered: bool = True
    mailbox: str = "actors.Counter.g1.0"

    def ack(self) -> None:
        """Do nothing."""


class Court:
    """Suspects of one worker, on a store of its own."""

    def __init__(self) -> None:
        self.store = MemoryStore(SystemClock())
        self.waiting = 0
        services = cast("Services", SimpleNamespace(store=self.store))
        self._suspects = Suspects(services, self._waits)

    def _waits(self, change: int) -> None:
        self.waiting += change

    def trial(self, seq: int = 1, *, orderly: bool = False) -> Trial:
        subscription = Subscription("actors.Counter.g1.0", "Counter", lambda: None)
        subscription.orderly = asyncio.get_running_loop().create_future()
        subscription.orderly.set_result(orderly)
        envelope = Envelope(ACTOR, "increment", sender="web", seq=seq)
        return self._suspects.trial(Arrival(envelope, Redelivered(), subscription, 0.0))

    async def crash(self, times: int, seq: int = 1) -> None:
        for _ in range(times):
            await self.store.charge(ACTOR, f"n:web:{seq}")


async def test_what_was_given_back_in_order_is_no_suspect() -> None:
    court = Court()
    assert court.trial().is_suspect
    assert not court.trial(orderly=True).is_suspect


async def test_a_run_that_ends_is_charged_no_more() -> None:
    court = Court()
    for _ in range(3):
        trial = court.trial()
        assert await trial.charge() == 0
        await trial.end()


async def test_a_run_that_somebody_else_took_over_stays_charged() -> None:
    court = Court()
    for crashes in range(3):
        trial = court.trial()
        assert await trial.charge() == crashes, "it may have blocked its worker until the broker gave it up"
        trial.fenced()
        await trial.end()


async def test_who_was_near_too_many_crashes_runs_apart_and_is_charged_when_its_turn_comes() -> None:
    court = Court()
    for seq in (1, 2):
        await court.crash(BESIDE_OTHERS_MAX, seq)
    first, second = court.trial(1), court.trial(2)
    assert await first.charge() == BESIDE_OTHERS_MAX
    charging = asyncio.ensure_future(second.charge())
    while not court.waiting:  # noqa: ASYNC110 - it says so to nobody but the lanes
        await asyncio.sleep(0)
    assert not charging.done()
    assert await court.store.charge(ACTOR, "n:web:2", at_most=0) == BESIDE_OTHERS_MAX + 1, "not charged yet"
    await first.end()
    assert await charging == BESIDE_OTHERS_MAX
    assert court.waiting == 0
    await second.end()


async def test_a_suspect_that_waits_for_another_actor_lets_the_next_one_run() -> None:
    court = Court()
    for seq in (1, 2):
        await court.crash(BESIDE_OTHERS_MAX, seq)
    first = court.trial(1)
    await first.charge()
    first.waits()
    assert await asyncio.wait_for(court.trial(2).charge(), 1) == BESIDE_OTHERS_MAX
    await first.end()
