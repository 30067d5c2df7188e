"""Keeps prefetch windows from filling up with what cannot run.

What it decides is in `core.window`; here is when it is looked at, and what it is decided
from. Looking costs as much as there are lanes, so it is done now and then while a window
is more than half full, and with every tick of the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.lanes import Lanes
from broker_actors.core.window import Lane, most_of_one, to_park
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.directory import Directory
from broker_actors.runtime.parker import Item, Parker

#: A window is looked at this often while it fills.
LOOKS_PER_WINDOW: Final = 8


class Turning(Protocol):
    """A turn that runs."""

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for another actor."""
        ...

    @property
    def since_seconds(self) -> float:
        """When it began."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a worker's insides relief has to do with.

    Attributes:
        lanes: what waits.
        turns: what runs in the lanes, not beside them.
        directory: who is live.
        parker: parks.
        start: runs something in the background, and notices if it fails.

    """

    lanes: Lanes[Item]
    turns: Mapping[Address, tuple[Arrival, Turning]]
    directory: Directory
    parker: Parker
    start: Callable[[Coroutine[None, None, None]], asyncio.Task[None]]


class Relief:
    """Looks at the windows of one worker."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        #: Windows that are more than half full, and what happened in them since they were looked at.
        self._crowded: dict[Subscription, int] = {}

    def changed(self, subscription: Subscription) -> None:
        """Take note that something was delivered."""
        if subscription.held * 2 > subscription.window:
            self._count(subscription)

    def waits(self) -> None:
        """Take note that one more turn waits for another actor."""
        for subscription in list(self._crowded):
            self._count(subscription)

    def look_at_all(self) -> None:
        """Look at every window that is more than half full."""
        for subscription in list(self._crowded):
            self._look(subscription)

    def _count(self, subscription: Subscription) -> None:
        changes = self._crowded.get(subscription, 0) + 1
        if changes * LOOKS_PER_WINDOW < subscription.window:
            self._crowded[subscription] = changes
        else:
            self._look(subscription)

    def _look(self, subscription: Subscription) -> None:
        if subscription.is_lost() or subscription.held * 2 <= subscription.window:
            self._crowded.pop(subscription, None)
            return
        self._crowded[subscription] = 0
        if not self._may_need_relief(subscription):
            return
        parts = self._parts
        for address in to_park(self._lanes(subscription), subscription.held, subscription.window):
            activation = parts.directory.get(address)
            if (
                activation is not None
                and activation.parking is not None
                and not parts.parker.is_busy(address)
            ):
                parts.start(self._park(address, subscription))

    async def _park(self, address: Address, subscription: Subscription) -> None:
        parts = self._parts
        activation = parts.directory.get(address)
        if activation is None or parts.parker.is_busy(address) or subscription.is_lost():
            return
        await parts.parker.park(activation)
        if subscription.is_lost():
            await parts.directory.drop(activation)
        else:
            parts.parker.follow(activation, subscription)

    def _may_need_relief(self, subscription: Subscription) -> bool:
        """Return False if `to_park` would name nobody; far cheaper than to ask it."""
        if self._parts.lanes.longest > most_of_one(subscription.window):
            return True
        return any(turning.is_waiting for _, turning in self._parts.turns.values())

    def _lanes(self, subscription: Subscription) -> list[Lane[Address]]:
        lanes: dict[Address, Lane[Address]] = {}
        for address, (arrival, turning) in self._parts.turns.items():
            if arrival.subscription is subscription:
                activation = self._parts.directory.get(address)
                parking = None if activation is None else activation.parking
                holds = parking is None or not parking.runs_head
                lanes[address] = Lane(address, 0, turning.is_waiting, holds, turning.since_seconds)
        for address, items in self._parts.lanes.each():
            # All of a lane came by one subscription; those of others are not worth a closer look.
            first = next((item for item in items if isinstance(item, Arrival)), None)
            if first is not None and first.subscription is subscription:
                waiting = sum(isinstance(item, Arrival) for item in items)
                turn = lanes.get(address, Lane(address, 0))
                lanes[address] = Lane(address, waiting, turn.waits, turn.holds, turn.since_seconds)
        return list(lanes.values())
