"""What the turn of a lane is: the envelope that came, or the head of what is parked.

Invariant: while a parking holds something, envelopes of its lane run from there, in the
order in which they were parked, and what comes is parked behind them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Protocol

from broker_actors.core.lanes import Lanes
from broker_actors.core.parking import WAKE
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.directory import Directory
from broker_actors.runtime.parker import Item, Parker, Unpark


class RunsTurn(Protocol):
    """Runs the turn of an envelope."""

    def __call__(
        self, activation: Activation, item: Arrival, *, overflows: bool = False
    ) -> Coroutine[None, None, None]:
        """Run the turn of *item*; with *overflows* there is no room to park it."""
        ...


class Order:
    """The order of turns in the lanes of one worker."""

    def __init__(self, lanes: Lanes[Item], directory: Directory, parker: Parker, turn: RunsTurn) -> None:
        self._lanes = lanes
        self._directory = directory
        self._parker = parker
        self._turn = turn

    def take(self, activation: Activation, item: Arrival, *, draining: bool) -> Coroutine[None, None, None]:
        """Run *item* if nothing is parked; else park it, and what waits behind it."""
        if item.envelope.method == WAKE or activation.suspension is not None or activation.has_parked:
            return self._take(activation, item, draining=draining)
        return self._turn(activation, item)

    async def _take(self, activation: Activation, item: Arrival, *, draining: bool) -> None:
        if item.envelope.method == WAKE:
            item.ack()
        elif activation.suspension is not None:
            await self._refuse(activation, item)
        elif await self._parker.park(activation, item) or item.subscription.is_lost():
            # What is not parked and lost is delivered again.
            return
        elif await self._parker.may_wait(activation, item):
            self._lanes.put_back(activation.address, item)
            await self._run_head(activation, item.subscription, draining=draining)
        else:
            # It has run, or is too late, or there is no room for it.
            await self._turn(activation, item, overflows=True)

    async def _refuse(self, activation: Activation, item: Arrival) -> None:
        """Tell who asks that the actor is suspended; park what is told to it."""
        if item.envelope.is_ask:
            await self._turn(activation, item)
        elif not await self._parker.park(activation, item) and not item.subscription.is_lost():
            # It has run, or there is no room for it.
            await self._turn(activation, item, overflows=True)

    async def unpark(self, item: Unpark, *, draining: bool) -> None:
        """Run the head of a parking, if it is due."""
        subscription = item.subscription
        self._parker.take(item)
        await self._parker.settled(item.address)
        await subscription.known()
        if subscription.is_lost():
            return
        activation = await self._directory.activate(item.address, subscription.mailbox)
        if activation is None:
            subscription.abandon()
        elif await self._run_head(activation, subscription, draining=draining):
            await self.follow(activation, subscription)

    async def follow(self, activation: Activation, subscription: Subscription) -> None:
        """See to it that what is parked runs; nothing of a lost subscription does."""
        if subscription.is_lost():
            await self._directory.drop(activation)
        else:
            self._parker.follow(activation, subscription)

    async def _run_head(self, activation: Activation, subscription: Subscription, *, draining: bool) -> bool:
        """Run the head, if it is due; return whether more may follow."""
        head = await self._parker.head(activation, subscription)
        if head is None:
            return True
        if not subscription.may_begin(head.envelope, draining=draining):
            return False
        subscription.begun(head, head.arrived_seconds)
        try:
            await self._turn(activation, head)
        finally:
            subscription.ended(head)
        return True
