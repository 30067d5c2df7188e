"""Messages as RabbitMQ's client library writes and reads them.

Invariant: whatever a foreign publisher put into properties or headers comes out as a
`WireMessage`; core decides what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from broker_actors.adapters.rabbitmq.headers import to_table
from broker_actors.core.errors import PayloadTooLargeError, UndecodableError
from broker_actors.core.wire import WireMessage

PERSISTENT: Final = 2
#: AMQP's short strings carry one byte of length.
SHORT_STRING_BYTES_MAX: Final = 255
#: 9999-12-31, the last day a datetime can name.
TIMESTAMP_SECONDS_MAX: Final = 253_402_300_799


class RabbitDelivery:
    """Implements `ports.transport.Delivery`: one message on one channel."""

    __slots__ = ("_end", "_tag", "mailbox", "message", "redelivered")

    def __init__(self, delivered: DeliveredMessage, mailbox: str, end: Callable[[int], None]) -> None:
        self.message = from_amqp(delivered)
        self.redelivered = bool(delivered.redelivered)
        self.mailbox = mailbox
        self._tag = delivered.delivery_tag or 0
        self._end = end

    def ack(self) -> None:
        """Let the broker forget the message, soon; nothing once the consumer is closed."""
        self._end(self._tag)


def from_amqp(delivered: DeliveredMessage) -> WireMessage:
    """Return a delivered message in the broker-neutral form."""
    return wire_message(delivered.header.properties, delivered.body)


def wire_message(properties: Basic.Properties, body: bytes) -> WireMessage:
    """Return a message with *properties* in the broker-neutral form."""
    timestamp = properties.timestamp
    return WireMessage(
        headers=properties.headers or {},
        body=body,
        content_type=properties.content_type or "",
        type=properties.message_type or "",
        correlation_id=properties.correlation_id or "",
        reply_to=properties.reply_to or "",
        timestamp_seconds=int(timestamp.timestamp()) if timestamp else 0,
        message_id=properties.message_id or "",
    )


def to_properties(message: WireMessage) -> Basic.Properties:
    """Return the AMQP properties of *message*, persistent and without a message id.

    Raises:
        UndecodableError: a header or property that AMQP cannot hold.
        PayloadTooLargeError: a property longer than 255 bytes.

    """
    return Basic.Properties(
        content_type=short("content_type", message.content_type),
        headers=to_table(message.headers) if message.headers else None,
        delivery_mode=PERSISTENT,
        correlation_id=short("correlation_id", message.correlation_id),
        reply_to=short("reply_to", message.reply_to),
        timestamp=_timestamp(message.timestamp_seconds),
        message_type=short("type", message.type),
    )


def short(name: str, value: str) -> str:
    """Return *value* if it fits into a short string.

    Raises:
        UndecodableError: it cannot be written.
        PayloadTooLargeError: it is longer than 255 bytes.

    """
    if len(value) > SHORT_STRING_BYTES_MAX or not value.isascii():
        try:
            size_bytes = len(value.encode())
        except UnicodeEncodeError as error:
            raise UndecodableError(f"property {name} cannot be written as UTF-8") from error
        if size_bytes > SHORT_STRING_BYTES_MAX:
            raise PayloadTooLargeError(f"property {name} is longer than {SHORT_STRING_BYTES_MAX} bytes")
    return value


def _timestamp(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds <= TIMESTAMP_SECONDS_MAX else None
