"""A delivery on its way through a worker, and the subscription it came by.

Invariant: once a subscription is lost, the broker owns its unacknowledged messages
again: what has not begun to run is forgotten here, for it is delivered anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import ErrorRecord
from broker_actors.core.light import dataclass
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import Delivery

PREFETCH: Final = 1_000


class Subscription:
    """One opening of one mailbox."""

    __slots__ = (
        "_is_finishing",
        "_is_lost",
        "_on_abandon",
        "_passed_over",
        "_quiet",
        "_running",
        "acked",
        "actor_type",
        "delivered",
        "mailbox",
        "orderly",
        "served_seconds",
        "window",
    )

    def __init__(
        self, mailbox: str, actor_type: str, on_abandon: Callable[[], None], *, window: int = PREFETCH
    ) -> None:
        self.mailbox = mailbox
        #: How many deliveries the broker lets it hold.
        self.window = window
        self.actor_type = actor_type
        #: Whether whoever was served from the mailbox before gave it back in order. None until the
        #: broker has delivered something: then this side is the active consumer.
        self.orderly: asyncio.Future[bool] | None = None
        #: When the broker delivered the first one, on the monotonic clock.
        self.served_seconds = 0.0
        #: How many messages the broker has delivered to it.
        self.delivered = 0
        #: How many of them were acknowledged.
        self.acked = 0
        self._is_lost = False
        self._is_finishing = False
        self._on_abandon = on_abandon
        self._passed_over: set[Address] = set()
        #: When the turns that run began, the oldest first.
        self._running: dict[Arrival, float] = {}
        self._quiet: asyncio.Event | None = None

    @property
    def is_served(self) -> bool:
        """Whether the broker has delivered anything to it."""
        return self.orderly is not None

    @property
    def held(self) -> int:
        """How many deliveries it holds."""
        return self.delivered - self.acked

    def ack(self, delivery: Delivery) -> None:
        """Let the broker forget *delivery*, which came by this subscription."""
        self.acked += 1
        delivery.ack()

    @property
    def is_known(self) -> bool:
        """Whether `known` returns at once."""
        return self.orderly is None or self.orderly.done()

    async def known(self) -> None:
        """Return when it is known whether the mailbox was given back in order before."""
        if not self.is_known and self.orderly is not None:
            # Waited for and not awaited: it is shared by all turns of the subscription.
            await asyncio.wait([self.orderly])

    def is_lost(self) -> bool:
        """Return whether the broker has, or is about to have, its messages back."""
        return self._is_lost

    @property
    def is_finishing(self) -> bool:
        """Whether nothing new begins here."""
        return self._is_finishing

    def lose(self) -> None:
        """Take note that the broker has its messages back. Idempotent."""
        self._is_lost = True

    def abandon(self) -> None:
        """Give everything unacknowledged back to the broker, in order. Idempotent."""
        if not self._is_lost:
            self._is_lost = True
            self._on_abandon()

    def may_begin(self, envelope: Envelope, *, draining: bool) -> bool:
        """Return whether the turn of *envelope* may begin here.

        While it finishes, only what a running turn waits for does, and nothing overtakes
        what was passed over.
        """
        if self._is_lost:
            return False
        if not (draining or self._is_finishing):
            return True
        if envelope.chain and envelope.address not in self._passed_over:
            return True
        self._passed_over.add(envelope.address)
        return False

    def begun(self, arrival: Arrival, now_seconds: float) -> None:
        """Take note that the turn of *arrival* runs."""
        self._running[arrival] = now_seconds

    @property
    def oldest_seconds(self) -> float | None:
        """When the oldest of its turns that run began; None if none runs."""
        return next(iter(self._running.values()), None)

    def ended(self, arrival: Arrival) -> None:
        """Take note that the turn of *arrival* runs no more."""
        del self._running[arrival]
        if not self._running and self._quiet is not None:
            self._quiet.set()

    async def finish(self) -> None:
        """Begin nothing more; return when nothing runs. The caller sets the deadline."""
        self._is_finishing = True
        while self._running:
            self._quiet = asyncio.Event()
            await self._quiet.wait()


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """One envelope in this worker's hands. Two deliveries of one envelope are two arrivals."""

    envelope: Envelope
    delivery: Delivery
    subscription: Subscription
    arrived_seconds: float
    is_parked: bool = False
    #: Why the entry of the parking cannot be read for which the envelope stands; None for any other.
    unreadable: ErrorRecord | None = None

    def ack(self) -> None:
        """Let the broker forget the delivery."""
        self.subscription.ack(self.delivery)


@dataclass(frozen=True, slots=True)
class ParkedDelivery:
    """Stands for a delivery of what is parked: the broker has forgotten it. Implements `Delivery`.

    Attributes:
        message: what was published, about.
        mailbox: the queue it came from.
        redelivered: whether somebody who had it before may have died of it.

    """

    message: WireMessage
    mailbox: str
    redelivered: bool

    def ack(self) -> None:
        """Do nothing: there is nothing left to forget."""
