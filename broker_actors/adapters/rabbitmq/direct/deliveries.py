"""Deliveries and acknowledgements of one channel, past the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from broker_actors.adapters.rabbitmq import frames
from broker_actors.adapters.rabbitmq.decoding import message_of
from broker_actors.adapters.rabbitmq.direct.passages import Passage, Passages
from broker_actors.adapters.rabbitmq.frames import TAG_AND_REDELIVERED
from broker_actors.core.acks import AckPlan
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import OnDelivery

#: Where the tag of the consumer lies, which begins with its length: behind class and method.
_CONSUMER_AT: Final = frames.METHOD_BYTES


class DirectDelivery:
    """Implements `ports.transport.Delivery`: one message on one channel."""

    __slots__ = ("_end", "_tag", "mailbox", "message", "redelivered")

    def __init__(
        self, message: WireMessage, mailbox: str, end: Callable[[int], None], tag: int, *, redelivered: bool
    ) -> None:
        self.message = message
        self.mailbox = mailbox
        self.redelivered = redelivered
        self._end = end
        self._tag = tag

    def ack(self) -> None:
        """Let the broker forget the message, soon; nothing once the consumer is closed."""
        self._end(self._tag)


class Deliveries:
    """What comes in on one channel, and what of it is acknowledged.

    Args:
        channel: its number.
        passages: of its connection.
        mailbox: the queue it consumes.
        receive: told each delivery; never blocks.
        end: told the tag of each delivery that ends.

    """

    def __init__(
        self,
        channel: int,
        passages: Passages,
        mailbox: str,
        receive: OnDelivery,
        end: Callable[[int], None],
    ) -> None:
        self._mailbox = mailbox
        self._receive = receive
        self._end = end
        self._passage = Passage(channel, passages, {}, {frames.DELIVER: self._delivered})

    def acknowledge(self, plan: AckPlan) -> None:
        """Send *plan*; raises LostError if the channel is gone."""
        channel = self._passage.channel
        data = [frames.acknowledgement(channel, plan.up_to, multiple=True)] if plan.up_to else []
        data += [frames.acknowledgement(channel, tag) for tag in plan.singles]
        if data:
            self._passage.write(b"".join(data))

    def _delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        tag_at = _CONSUMER_AT + 1 + method[_CONSUMER_AT]
        tag, redelivered = TAG_AND_REDELIVERED.unpack_from(method, tag_at)
        message = message_of(header, body)
        self._receive(DirectDelivery(message, self._mailbox, self._end, tag, redelivered=redelivered))
