"""Whom the run of a suspect is charged to, and for how long; who runs beside whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope
from broker_actors.core.suspicion import ALONE_MAX, BESIDE_OTHERS_MAX
from broker_actors.core.verdict import CRASHES_MAX
from broker_actors.core.wire import WireMessage
from broker_actors.runtime import charges
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.services import Services
from broker_actors.runtime.suspects import Suspects, Trial

ACTOR = Address("Counter", "c1")
HANG_SECONDS = 10.0


@dataclass
class Redelivered:
    """A delivery that was in other hands before."""

    message: WireMessage = field(default_factory=WireMessage)
    redelivered: bool = True
    mailbox: str = "actors.Counter.g1.0"

    def ack(self) -> None:
        """Do nothing."""


class HandClock(SystemClock):
    """A clock whose sleepers are woken by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeping = 0
        self._wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            # As the embedded store yields to the loop.
            await asyncio.sleep(0)
            return
        self.sleeping += 1
        try:
            await self._wake.wait()
        finally:
            self.sleeping -= 1

    def wake(self) -> None:
        self._wake.set()


class Court:
    """Suspects of one worker, on a store of its own."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = MemoryStore(self.clock)
        self.waiting = 0
        services = cast("Services", SimpleNamespace(store=self.store, clock=self.clock))
        self.suspects = Suspects(services, self._waits)

    def _waits(self, change: int) -> None:
        self.waiting += change

    def trial(self, seq: int = 1, *, orderly: bool = False) -> Trial:
        subscription = Subscription("actors.Counter.g1.0", "Counter", lambda: None)
        subscription.orderly = asyncio.get_running_loop().create_future()
        subscription.orderly.set_result(orderly)
        envelope = Envelope(ACTOR, "increment", sender="web", seq=seq)
        return self.suspects.trial(Arrival(envelope, Redelivered(), subscription, 0.0))

    async def crash(self, times: int, seq: int = 1) -> None:
        for _ in range(times):
            await self.store.charge(ACTOR, f"n:web:{seq}")

    async def counted(self, seq: int = 1) -> tuple[int, int]:
        """Return how many crashes beside others and alone are charged now."""
        identity = f"n:web:{seq}"
        beside = await self.store.charge(ACTOR, identity, at_most=0)
        alone = await self.store.charge(ACTOR, f"{identity}\0alone", at_most=0)
        return beside - 1, alone - 1

    async def lonely(self, seq: int = 1) -> Trial:
        """Return the trial of a suspect that runs alone."""
        await self.crash(BESIDE_OTHERS_MAX, seq)
        trial = self.trial(seq)
        assert await trial.charge() == BESIDE_OTHERS_MAX
        await started(trial)
        return trial


async def started(trial: Trial) -> None:
    """Begin the run of *trial* as a turn does."""
    if not trial.start_nowait():
        await trial.start()


async def until(holds: Callable[[], bool]) -> None:
    """Return when *holds* does, which the next passes of the loop decide."""
    async with asyncio.timeout(HANG_SECONDS):
        while not holds():  # noqa: ASYNC110 - a few passes of the loop, and nothing tells of it
            await asyncio.sleep(0)


async def settled() -> None:
    """Let everything happen that can without anybody's help."""
    for _ in range(20):
        await asyncio.sleep(0)


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


async def test_a_suspect_that_is_charged_begins_to_run_once() -> None:
    court = Court()
    trial = court.trial()
    await trial.charge()
    async with asyncio.timeout(HANG_SECONDS):
        await started(trial)
        await trial.end()
    assert await court.trial().charge() == 0, "it ended, so it is charged no more"


async def test_a_run_that_somebody_else_took_over_stays_charged() -> None:
    court = Court()
    for crashes in range(CRASHES_MAX):
        trial = court.trial()
        assert await trial.charge() == crashes, "it may have blocked its worker until the broker gave it up"
        trial.fenced()
        await trial.end()
    assert await court.trial().charge() == CRASHES_MAX


async def test_only_crashes_alone_bring_a_suspect_to_its_end() -> None:
    court = Court()
    await court.crash(100)
    for crashes in range(BESIDE_OTHERS_MAX, CRASHES_MAX):
        trial = court.trial()
        assert await trial.charge() == crashes
        # The process dies; the next one knows nothing of it.
        court.suspects = Suspects(court.suspects.services, court.suspects.waits)
    assert await court.trial().charge() == CRASHES_MAX
    assert await court.counted() == (100, ALONE_MAX)


async def test_what_is_killed_later_than_it_is_alone_never_comes_to_its_end() -> None:
    court = Court()
    for _ in range(2 * CRASHES_MAX):
        trial = court.trial()
        assert await trial.charge() < CRASHES_MAX
        await started(trial)
        court.clock.wake()
        await settled()
        # The process is killed, whoever did it; the next one knows nothing of it.
        court.suspects = Suspects(court.suspects.services, court.suspects.waits)
    _, alone = await court.counted()
    assert alone == 0


async def test_who_is_alone_waits_for_those_that_run_and_nobody_begins_beside_it() -> None:
    court = Court()
    await court.crash(BESIDE_OTHERS_MAX)
    runs, begins, suspect = court.trial(orderly=True), court.trial(orderly=True), court.trial()
    await runs.start()
    charging = asyncio.ensure_future(suspect.charge())
    await settled()
    starting = asyncio.ensure_future(begins.start())
    await settled()
    assert not charging.done()
    assert not starting.done()
    assert await court.counted() == (BESIDE_OTHERS_MAX, 0), "not charged while it waits"
    runs.stop()
    assert await charging == BESIDE_OTHERS_MAX
    await settled()
    assert not starting.done()
    assert await court.counted() == (BESIDE_OTHERS_MAX, 1)
    await suspect.end()
    await asyncio.wait_for(starting, HANG_SECONDS)
    assert await court.counted() == (0, 0)
    assert court.waiting == 0


async def test_who_cannot_be_alone_runs_beside_others_and_is_looked_at_for_longer_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    court = Court()
    await court.crash(BESIDE_OTHERS_MAX)
    runs, suspect = court.trial(orderly=True), court.trial()
    await runs.start()
    monkeypatch.setattr(charges, "alone_seconds", lambda _crashes: 0.01)
    assert await suspect.charge() == BESIDE_OTHERS_MAX
    assert await court.counted() == (BESIDE_OTHERS_MAX + 1, 0), "a crash now may be the other one's"
    begins = court.trial(orderly=True)
    await asyncio.wait_for(begins.start(), HANG_SECONDS)
    for trial in (suspect, runs, begins):
        await trial.end()
    last = await court.lonely()
    await last.end()


async def test_suspects_that_run_alone_do_so_one_after_the_other() -> None:
    court = Court()
    first = await court.lonely(1)
    await court.crash(BESIDE_OTHERS_MAX, 2)
    second = court.trial(2)
    charging = asyncio.ensure_future(second.charge())
    await settled()
    assert not charging.done()
    assert await court.counted(2) == (BESIDE_OTHERS_MAX, 0)
    await first.end()
    assert await asyncio.wait_for(charging, HANG_SECONDS) == BESIDE_OTHERS_MAX
    await second.end()


async def test_who_was_alone_for_long_enough_runs_on_beside_others() -> None:
    court = Court()
    suspect = await court.lonely()
    other = court.trial(orderly=True)
    starting = asyncio.ensure_future(other.start())
    await until(lambda: court.clock.sleeping == 1)
    assert not starting.done()
    court.clock.wake()
    await asyncio.wait_for(starting, HANG_SECONDS)
    assert await court.counted() == (BESIDE_OTHERS_MAX + 1, 0), "a crash now may be the other one's"
    other.stop()
    await suspect.end()
    assert await court.counted() == (0, 0)


async def test_a_suspect_that_waits_for_another_actor_is_not_charged_and_lets_others_run() -> None:
    court = Court()
    suspect = await court.lonely()
    assert await court.counted() == (BESIDE_OTHERS_MAX, 1)
    await suspect.pause()
    assert await court.counted() == (BESIDE_OTHERS_MAX, 0)
    other = court.trial(orderly=True)
    await asyncio.wait_for(other.start(), HANG_SECONDS)
    going_on = asyncio.ensure_future(suspect.go_on())
    await settled()
    assert not going_on.done()
    other.stop()
    await asyncio.wait_for(going_on, HANG_SECONDS)
    assert await court.counted() == (BESIDE_OTHERS_MAX, 1)
    await suspect.end()


async def test_what_a_suspect_did_before_is_still_known_while_it_waits() -> None:
    court = Court()
    await court.crash(1)
    suspect = court.trial()
    assert await suspect.charge() == 1
    await suspect.start()
    await suspect.pause()
    assert await court.counted() == (1, 0)
    await suspect.go_on()
    assert await court.counted() == (2, 0)
    await suspect.end()


async def test_a_run_that_ends_while_it_goes_on_holds_nothing() -> None:
    court = Court()
    alone = await court.lonely(1)
    await court.crash(BESIDE_OTHERS_MAX, 2)
    leftover = court.trial(2)
    leftover_charge = asyncio.ensure_future(leftover.charge())
    await settled()
    await alone.end()
    await leftover_charge
    await leftover.start()
    await leftover.pause()
    again = await court.lonely(1)
    going_on = asyncio.ensure_future(leftover.go_on())
    await settled()
    leftover.stop()
    await again.end()
    await asyncio.wait_for(going_on, HANG_SECONDS)
    other = court.trial(orderly=True)
    await asyncio.wait_for(other.start(), HANG_SECONDS)
    other.stop()
