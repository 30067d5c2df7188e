"""Timers of live actors: each rings, has its turn in the actor's lane, and rings again.

Invariants: a timer ends with the activation that set it, and none of its ticks runs after that; a tick is
a turn like any other, and the next one is counted from its end, so that one timer is never in the lane twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.events import Trouble
from broker_actors.core.wire import WireMessage
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.clockwork import TimerPlan
from broker_actors.runtime.directory import Directory
from broker_actors.runtime.services import Services

#: Of one actor.
TIMERS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class TimerDelivery:
    """Stands for a delivery of a tick, which no broker knows. Implements `Delivery`."""

    message: WireMessage
    mailbox: str
    redelivered: bool = False

    def ack(self) -> None:
        """Do nothing: there is nothing to forget."""


@dataclass(slots=True, eq=False)
class Timer:
    """One timer of one activation.

    Attributes:
        plan: what it calls, and how often.
        activation: whose it is.
        subscription: through which the actor is served.
        over: set when its tick has left the lane.

    """

    plan: TimerPlan
    activation: Activation
    subscription: Subscription
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """An item in a lane: a timer has rung."""

    timer: Timer


class Enters(Protocol):
    """Puts a tick at the end of its actor's lane, or beside it."""

    def __call__(self, tick: Tick) -> None:
        """Put *tick* there."""
        ...


class RunsTurn(Protocol):
    """Runs the turn of an envelope."""

    async def __call__(self, activation: Activation, item: Arrival, *, is_beside: bool = False) -> None:
        """Run the turn of *item*."""
        ...


class Timers:
    """The timers of one worker."""

    def __init__(
        self,
        services: Services,
        directory: Directory,
        enter: Enters,
        turn: RunsTurn,
        start: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
    ) -> None:
        self._services = services
        self._directory = directory
        self._enter = enter
        self._turn = turn
        self._start = start
        self._of: dict[Address, dict[str, tuple[Timer, asyncio.Task[None]]]] = {}

    def wind(
        self, address: Address, plans: Mapping[str, TimerPlan | None], subscription: Subscription
    ) -> None:
        """Start or stop timers of *address*, as a turn that has committed wants it."""
        activation = self._directory.get(address)
        if activation is None:
            # It has left meanwhile, and its timers with it.
            return
        for name, plan in plans.items():
            self._stop(address, name)
            running = self._of.setdefault(address, {})
            if plan is not None and len(running) >= TIMERS_MAX:
                text = f"it has {TIMERS_MAX} already, so {name!r} was not started: let one of them do more"
                self._services.observer.observe(Trouble(f"timer of {address}", text))
            elif plan is not None:
                timer = Timer(plan, activation, subscription)
                running[name] = (timer, self._start(self._ring(timer)))
            if not running:
                del self._of[address]

    def end(self, activation: Activation) -> None:
        """Stop the timers of *activation*, which leaves memory."""
        for name, (timer, _) in list(self._of.get(activation.address, {}).items()):
            if timer.activation is activation:
                self._stop(activation.address, name)

    async def run(self, tick: Tick, *, is_beside: bool, draining: bool) -> None:
        """Run the turn of *tick*, unless its timer has ended or nothing may begin."""
        timer = tick.timer
        try:
            if self._may_run(timer, draining=draining):
                await self._run(timer, is_beside=is_beside)
        finally:
            timer.over.set()

    async def _run(self, timer: Timer, *, is_beside: bool) -> None:
        clock, subscription = self._services.clock, timer.subscription
        address, plan = timer.activation.address, timer.plan
        envelope = Envelope(
            *(address, plan.method, plan.body, plan.content_type),
            sent_seconds=clock.now_ms() // 1000,
            message_id=clock.token(),
        )
        delivery = TimerDelivery(to_wire(envelope), subscription.mailbox)
        now_seconds = clock.monotonic_seconds()
        arrival = Arrival(envelope, delivery, subscription, now_seconds)
        # Its end counts as an acknowledgement.
        subscription.delivered += 1
        subscription.begun(arrival, now_seconds)
        try:
            await self._turn(timer.activation, arrival, is_beside=is_beside)
        finally:
            subscription.ended(arrival)

    async def _ring(self, timer: Timer) -> None:
        while True:
            await self._services.clock.sleep(timer.plan.period_seconds)
            timer.over.clear()
            self._enter(Tick(timer))
            await timer.over.wait()

    def _may_run(self, timer: Timer, *, draining: bool) -> bool:
        activation, subscription = timer.activation, timer.subscription
        is_live = self._directory.get(activation.address) is activation
        known = self._of.get(activation.address, {}).values()
        if draining or not is_live or all(one is not timer for one, _ in known):
            return False
        if subscription.is_lost() or subscription.is_finishing or activation.suspension is not None:
            return False
        # What waits for a failed message waits for its order; a tick has none, and rings again.
        return activation.parking is None or not activation.parking.entries

    def _stop(self, address: Address, name: str) -> None:
        running = self._of.get(address, {})
        found = running.pop(name, None)
        if found is not None:
            found[1].cancel()
        if not running:
            self._of.pop(address, None)
