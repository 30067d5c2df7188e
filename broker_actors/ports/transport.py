"""The broker: durable mailboxes, confirmed publishing, deliveries to acknowledge.

Words: a *delivery* is a message in this process's hands; *acknowledging* lets the broker
forget it; an acknowledgement is never evidence of anything, for a broker ignores late ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from broker_actors.core.errors import PlatformError
from broker_actors.core.topology import Declaration, Route
from broker_actors.core.wire import WireMessage


@dataclass(frozen=True, slots=True)
class Depth:
    """How a mailbox stands at one moment.

    Attributes:
        ready: messages that wait in it and are in nobody's hands.
        consumers: those who receive from it; 0 when nobody does. Of a mailbox with a single
            active consumer, those who stand by may or may not be counted.

    """

    ready: int
    consumers: int


class Delivery(Protocol):
    """One message, delivered and not yet acknowledged."""

    @property
    def message(self) -> WireMessage:
        """What was published."""
        ...

    @property
    def redelivered(self) -> bool:
        """Whether the broker has handed it out before: its last run may have ended badly."""
        ...

    @property
    def mailbox(self) -> str:
        """The queue it came from."""
        ...

    def ack(self) -> None:
        """Let the broker forget the message, soon.

        Acks leave together, at the latest a few milliseconds later; closing sends them first. On a
        consumer that has closed since, this does nothing: the message is delivered again and answered from
        the dedup record.
        """
        ...


OnDelivery: TypeAlias = Callable[[Delivery], None]


class Consumer(Protocol):
    """An open subscription to one mailbox, on a channel of its own."""

    async def closed(self) -> str:
        """Return why it ended: this side closed it, the broker cancelled it, or the channel died."""
        ...

    async def close(self) -> None:
        """End it. Unacknowledged deliveries return to the head of the mailbox in order.

        Acks given before are sent first. Idempotent; never raises for a dead channel.
        """
        ...


class Transport(Protocol):
    """A connection to the broker that reconnects by itself."""

    async def declare(self, declarations: Iterable[Declaration]) -> None:
        """Make sure the exchanges, queues and bindings exist, in the order given.

        Raises:
            TopologyMismatchError: one exists with other arguments.
            BrokerUnavailableError: no connection within the deadline.

        """
        ...

    async def publish(self, route: Route, message: WireMessage) -> None:
        """Return when the broker has taken responsibility: mandatory, persistent, confirmed.

        Publishes enter the broker in the order this method was called, also when many
        are under way. A publish that was cancelled or failed may still have arrived.

        Raises:
            UnroutableError: no queue is bound there.
            MailboxFullError: a queue refused it.
            BrokerUnavailableError: no confirm within the deadline.
            PayloadTooLargeError: too large for the wire or for the broker.
            UndecodableError: a header or property has no form on the wire.

        """
        ...

    async def publish_all(
        self, messages: Sequence[tuple[Route, WireMessage]]
    ) -> Sequence[PlatformError | None]:
        """Publish *messages* together, in their order; return what became of each, None for confirmed.

        As many calls of `publish` in one step of the loop, but for what waiting for each by itself
        costs. What one of them fails with, as `publish` would raise it, is nothing to the others.
        """
        ...

    async def consume(self, mailbox: str, on_delivery: OnDelivery, *, prefetch: int) -> Consumer:
        """Start to receive from *mailbox* in its order.

        Args:
            mailbox: name of an existing queue.
            on_delivery: called on the loop for each delivery, in order; must not block.
            prefetch: unacknowledged deliveries at a time, 1 to 65,535. The same for every
                consumer of a mailbox: one with a smaller window gives messages back behind
                those that were given back before it.

        Raises:
            UnroutableError: there is no such queue.
            BrokerUnavailableError: no connection within the deadline.

        """
        ...

    async def depth(self, mailbox: str) -> Depth:
        """Return how many messages wait in *mailbox*, and how many consume it.

        It disturbs nothing. A mailbox whose broker node is away may look empty.

        Raises:
            UnroutableError: there is no such queue.
            BrokerUnavailableError: no answer within the deadline, or the broker's user may not look.

        """
        ...

    async def close(self) -> None:
        """Close every consumer and the connection. Idempotent."""
        ...
