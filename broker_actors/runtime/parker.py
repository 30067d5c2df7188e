"""Who parks what waits in lanes, and sees to it that what is parked runs.

Invariants: nothing of a lane runs while its parking holds something, and nothing is
acknowledged before it is parked; what waits stays in its lane until it is; a parking that
holds something has its turn in the lane, or an alarm, or else is found by the relay once
its head is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import ErrorRecord, PlatformError
from broker_actors.core.events import Trouble, Undecodable
from broker_actors.core.lanes import Lanes
from broker_actors.core.parking import WAKE, Parked, Unreadable, stand_in, unreadable
from broker_actors.core.turn import Fenced, Fresh
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.arrival import Arrival, ParkedDelivery, Subscription
from broker_actors.runtime.directory import Passivate
from broker_actors.runtime.sections import Entry
from broker_actors.runtime.services import Services
from broker_actors.runtime.timers import Tick

#: Alarms one worker sets; of more than these the relay sees that their heads are due.
ALARMS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Unpark:
    """An item in a lane: run the head of the parking."""

    address: Address
    subscription: Subscription


Item = Arrival | Passivate | Unpark | Entry | Tick


@dataclass(slots=True, eq=False)
class _UnderWay:
    """One parking of what waits in a lane.

    Attributes:
        over: set once it is known what was parked.
        gone: what was.

    """

    over: asyncio.Event = field(default_factory=asyncio.Event)
    gone: set[Arrival] = field(default_factory=set[Arrival])


class Parker:
    """Looks after the parkings of one worker."""

    def __init__(self, services: Services, lanes: Lanes[Item], start: Callable[[], None]) -> None:
        self._services = services
        self._lanes = lanes
        self._start = start
        self._under_way: dict[Address, _UnderWay] = {}
        #: Actors whose head has its turn in the lane.
        self._lined_up: set[Address] = set()
        self._alarms: dict[Address, asyncio.Task[None]] = {}

    def is_busy(self, address: Address) -> bool:
        """Return whether something of *address* is being parked."""
        # Nearly always nothing is: then the address need not be hashed.
        return bool(self._under_way) and address in self._under_way

    async def is_gone(self, arrival: Arrival) -> bool:
        """Return whether *arrival*, out of its lane by now, was parked meanwhile."""
        while (under_way := self._under_way.get(arrival.envelope.address)) is not None:
            await under_way.over.wait()
            if arrival in under_way.gone:
                return True
        return False

    async def settled(self, address: Address) -> None:
        """Return when nothing of *address* is being parked."""
        while (under_way := self._under_way.get(address)) is not None:
            await under_way.over.wait()

    async def park(self, activation: Activation, first: Arrival | None = None) -> bool:
        """Park *first* and what waits in the lane, as far as it is new and there is room.

        Nothing else of the actor may be under way. If the store does not say what became of
        it, everything is given back to the broker.

        Returns:
            Whether *first* needs no turn: it is parked, or given back.

        """
        address, now_ms = activation.address, self._services.clock.now_ms()
        wanted = [] if first is None or not _may_be_parked(first, now_ms) else [first]
        waiting = (item for item in self._lanes.waiting_of(address) if isinstance(item, Arrival))
        wanted += [arrival for arrival in waiting if _may_be_parked(arrival, now_ms)]
        if activation.suspension is not None:
            # Who asks is told at once.
            wanted = [arrival for arrival in wanted if not arrival.envelope.is_ask]
        under_way = self._under_way[address] = _UnderWay()
        try:
            parked = await activation.ledger.park([arrival.envelope for arrival in wanted])
            if isinstance(parked, Fenced):
                _give_back(wanted, first)
                return True
            are_parked = {id(envelope) for envelope in parked}
            gone = [arrival for arrival in wanted if id(arrival.envelope) in are_parked]
            under_way.gone.update(gone)
            self._lanes.remove(address, under_way.gone)
            for arrival in gone:
                arrival.ack()
        except PlatformError as error:
            self._services.observer.observe(Trouble(f"parking of {address}", str(error)))
            _give_back(wanted, first)
            return True
        except BaseException:
            _give_back(wanted, first)
            raise
        finally:
            del self._under_way[address]
            under_way.over.set()
        return first is not None and first in under_way.gone

    async def may_wait(self, activation: Activation, arrival: Arrival) -> bool:
        """Return whether *arrival*, which was not parked, may wait for room: the parking empties itself."""
        parking, envelope, now_ms = activation.parking, arrival.envelope, self._services.clock.now_ms()
        if parking is None or parking.due_ms > now_ms or envelope.expired(now_ms) or parking.suspension:
            return False
        if not (envelope.key or envelope.seq):
            return True
        try:
            return isinstance(await activation.ledger.look_up(envelope), Fresh)
        except PlatformError:
            # Its turn says so.
            return False

    async def head(self, activation: Activation, subscription: Subscription) -> Arrival | None:
        """Return the head of the parking; None if there is none that is due, or the store does not say."""
        parking, clock = activation.parking, self._services.clock
        if parking is None or parking.suspension is not None:
            return None
        try:
            parked = await parking.head()
        except PlatformError as error:
            self._services.observer.observe(Trouble(f"parking of {activation.address}", str(error)))
            subscription.abandon()
            return None
        if parked is None and parking.entries:
            # Not what this activation knows: whoever takes the actor up anew sees what there is.
            subscription.abandon()
        if parked is None or parked.due_ms > clock.now_ms():
            return None
        envelope, why = self._read(parked, activation.address, subscription.mailbox)
        message = replace(to_wire(envelope), message_id=envelope.message_id)
        delivery = ParkedDelivery(message, subscription.mailbox, parking.is_suspect)
        known = (envelope, delivery, subscription, clock.monotonic_seconds())
        return Arrival(*known, is_parked=True, unreadable=why)

    def take(self, unpark: Unpark) -> None:
        """Take note that the head has its turn."""
        self._lined_up.discard(unpark.address)

    def follow(self, activation: Activation, subscription: Subscription) -> None:
        """See to it that the head has its turn, at once or when it is due."""
        parking, address = activation.parking, activation.address
        if parking is None or not parking.entries or parking.suspension or subscription.is_lost():
            return
        wait_seconds = (parking.due_ms - self._services.clock.now_ms()) / 1000
        if wait_seconds <= 0:
            self._line_up(address, subscription)
            return
        if (alarm := self._alarms.pop(address, None)) is not None:
            alarm.cancel()
        if len(self._alarms) < ALARMS_MAX:
            self._alarms[address] = asyncio.create_task(self._ring(address, subscription, wait_seconds))

    async def close(self) -> None:
        """Cancel the alarms: the relay of whoever is left sees that their heads are due."""
        alarms = list(self._alarms.values())
        self._alarms.clear()
        for alarm in alarms:
            alarm.cancel()
        await asyncio.gather(*alarms, return_exceptions=True)

    def _read(
        self, parked: Parked | Unreadable, address: Address, mailbox: str
    ) -> tuple[Envelope, ErrorRecord | None]:
        """Return the envelope of the head; for one that cannot be read what stands for it, and why."""
        if isinstance(parked, Parked):
            return parked.envelope, None
        error = unreadable(parked, address)
        self._services.observer.observe(Undecodable(mailbox, error.message))
        return stand_in(parked, address, self._services.clock.token()), error

    async def _ring(self, address: Address, subscription: Subscription, seconds: float) -> None:
        await self._services.clock.sleep(seconds)
        self._alarms.pop(address, None)
        if not subscription.is_lost():
            self._line_up(address, subscription)

    def _line_up(self, address: Address, subscription: Subscription) -> None:
        if address not in self._lined_up:
            self._lined_up.add(address)
            self._lanes.arrive(address, Unpark(address, subscription))
            self._start()


def _may_be_parked(arrival: Arrival, now_ms: int) -> bool:
    envelope = arrival.envelope
    is_here = not (arrival.is_parked or arrival.subscription.is_lost())
    return is_here and envelope.method != WAKE and not envelope.expired(now_ms)


def _give_back(arrivals: list[Arrival], first: Arrival | None) -> None:
    # Also one that was not to be parked: nobody else looks after it.
    for arrival in arrivals if first is None else [first, *arrivals]:
        arrival.subscription.abandon()
