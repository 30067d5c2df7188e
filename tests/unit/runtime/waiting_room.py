"""One actor of a worker with its lane and its parking, on an embedded store that can be away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from broker_actors import actor, method
from broker_actors.actor.spec import spec_of
from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import Event
from broker_actors.core.lanes import Lanes
from broker_actors.core.parking import Parked, read
from broker_actors.core.turn import Committed, Fenced
from broker_actors.core.unsent import Backlog
from broker_actors.core.wire import WireMessage
from broker_actors.ports.commit import Commit
from broker_actors.ports.parking import PARKED_READ_MAX, ParkingChange
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.directory import Directory
from broker_actors.runtime.ledger import StoreLedger
from broker_actors.runtime.outbox import StoreOutbox
from broker_actors.runtime.parker import Item, Parker
from broker_actors.runtime.parking import ParkedBytes
from broker_actors.runtime.services import Services
from broker_actors.runtime.shared_ledger import SharedLedger

ACTOR = Address("Hot", "h1")
MAILBOX = "actors.Hot.g1.0"
HOUR_MS = 3_600_000


@actor(name="Hot", partitions=1)
class Hot:
    """Has more to do than it can."""

    @method
    def note(self) -> None: ...


class StoppedClock(SystemClock):
    """A clock that stands still until it is set; its sleepers are counted, and woken by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ms = 1_700_000_000_000
        self.sleeps: list[float] = []
        self._wake = asyncio.Event()

    def now_ms(self) -> int:
        return self.at_ms

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            # As the embedded store yields to the loop.
            await asyncio.sleep(0)
            return
        self.sleeps.append(seconds)
        await self._wake.wait()

    def wake(self) -> None:
        self._wake.set()


class MoodyStore(MemoryStore):
    """A store that may be away, or keep a commit waiting."""

    def __init__(self, clock: StoppedClock) -> None:
        super().__init__(clock)
        self.is_away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, commit: Commit) -> Committed | Fenced:
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailableError("no answer")
        return await super().commit(commit)

    async def parking(
        self, address: Address, *, start: int = 0, limit: int = PARKED_READ_MAX
    ) -> Sequence[bytes]:
        if self.is_away:
            raise StoreUnavailableError("no answer")
        return await super().parking(address, start=start, limit=limit)


class Events:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


@dataclass(eq=False)
class Letter:
    """A delivery, and whether the broker was told to forget it."""

    message: WireMessage = field(default_factory=WireMessage)
    redelivered: bool = False
    mailbox: str = MAILBOX
    acked: bool = False

    def ack(self) -> None:
        assert not self.acked, "once"
        self.acked = True


class Live:
    """Who is live: the part of a directory that parking has to do with."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.dropped: list[Activation] = []

    def get(self, address: Address) -> Activation | None:
        return self._room.live.get(address)

    async def activate(self, address: Address, _mailbox: str) -> Activation | None:
        await asyncio.sleep(0)
        return self._room.live.get(address)

    async def drop(self, activation: Activation) -> None:
        self.dropped.append(activation)


class Room:
    """The lane of one actor, its parking, and who looks after both."""

    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.store = MoodyStore(self.clock)
        self.events = Events()
        known = SimpleNamespace(store=self.store, clock=self.clock, observer=self.events)
        self.services = cast("Services", known)
        self.lanes: Lanes[Item] = Lanes()
        self.started = 0
        self.parker = Parker(self.services, self.lanes, self._start)
        self.abandoned = 0
        self.subscription = Subscription(MAILBOX, "Hot", self._abandoned, window=8)
        self.subscription.orderly = asyncio.get_running_loop().create_future()
        self.subscription.orderly.set_result(True)
        self.live: dict[Address, Activation] = {}
        self.directory = Live(self)

    @property
    def as_directory(self) -> Directory:
        return cast("Directory", self.directory)

    def _start(self) -> None:
        self.started += 1

    def _abandoned(self) -> None:
        self.abandoned += 1

    async def activation(self) -> Activation:
        """Claim the actor, as a worker does that has nothing of it in memory."""
        claim = await self.store.claim(ACTOR, self.clock.token())
        outbox = StoreOutbox(self.services, ACTOR, claim.epoch, Backlog(), is_empty=not claim.outbox)
        ledger = SharedLedger(StoreLedger(self.services, claim, outbox, ParkedBytes()))
        self.live[ACTOR] = Activation(ACTOR, spec_of(Hot), ledger, None, MAILBOX)
        return self.live[ACTOR]

    async def left_by_another(self, *entries: bytes, due_ms: int = 0) -> None:
        """Leave *entries* in the parking, as a worker does that is gone."""
        claim = await self.store.claim(ACTOR, self.clock.token())
        change = ParkingChange(appended=entries, due_ms=due_ms)
        await self.store.commit(Commit(claim, self.clock.token(), parking=change))

    def arrival(self, seq: int, *, waits: bool = True, **changes: object) -> Arrival:
        """Return a delivery, in the lane unless it is the one whose turn it is."""
        envelope = Envelope(ACTOR, "note", sender="web", seq=seq, **changes)  # type: ignore[arg-type] # its fields
        arrival = Arrival(envelope, Letter(), self.subscription, 0.0)
        self.subscription.delivered += 1
        if waits:
            self.lanes.arrive(ACTOR, arrival)
        return arrival

    async def parked(self) -> list[int]:
        """Return the numbers of what is parked, in order; 0 for what has none."""
        entries = [read(data) for data in await self.store.parking(ACTOR, limit=1_000)]
        return [entry.envelope.seq if isinstance(entry, Parked) else 0 for entry in entries]

    @property
    def waiting(self) -> list[int]:
        """The numbers of what waits in the lane; 0 for an item that is no delivery."""
        items = self.lanes.waiting_of(ACTOR)
        return [item.envelope.seq if isinstance(item, Arrival) else 0 for item in items]


def is_acked(arrival: Arrival) -> bool:
    """Return whether the broker was told to forget *arrival*."""
    delivery = arrival.delivery
    assert isinstance(delivery, Letter)
    return delivery.acked
