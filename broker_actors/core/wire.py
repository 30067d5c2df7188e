"""The broker-neutral form of a message, and readings of its untrusted headers.

What belongs here: properties, headers and body as any AMQP 0-9-1 client can write them,
and the checks a header must pass. Invariant: nothing read from a header is trusted
before it went through `text`, `whole` or `optional_whole`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final, TypeAlias

from broker_actors.core.errors import UndecodableError
from broker_actors.core.light import dataclass

#: Bodies, states and replies; a larger thing belongs in an object store, with its address in the message.
BODY_BYTES_MAX: Final = 1_048_576
#: All headers of a message must fit one frame of 131,072 bytes, and so must those of its dead letter.
HEADER_BYTES_MAX: Final = 16_384
INTEGER_MAX: Final = 2**63 - 1

HeaderValue: TypeAlias = str | int
Headers: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class WireMessage:
    """One message as it lies in the broker.

    Attributes:
        headers: what `x-` and `ba-` headers it carries; values are untrusted when received.
        body: the encoded arguments.
        content_type: `application/msgpack` or `application/json`.
        type: the method, as the AMQP property `type`.
        correlation_id: names the ask this belongs to; empty for tells.
        reply_to: the reply channel of the caller; empty for tells.
        timestamp_seconds: when it was sent, in Unix seconds; 0 when unknown.
        message_id: unique per publish attempt; chosen by the adapter on the way out.

    """

    headers: Headers = field(default_factory=lambda: MappingProxyType({}))
    body: bytes = b""
    content_type: str = ""
    type: str = ""
    correlation_id: str = ""
    reply_to: str = ""
    timestamp_seconds: int = 0
    message_id: str = ""


def text(headers: Headers, name: str, *, bytes_max: int = HEADER_BYTES_MAX) -> str:
    """Return the header *name* as text; empty when absent.

    Raises:
        UndecodableError: it is not text, not UTF-8, or longer than *bytes_max* UTF-8 bytes.

    """
    value = headers.get(name, "")
    if type(value) is str and value.isascii() and len(value) <= bytes_max:
        return value
    try:
        if isinstance(value, bytes | bytearray):
            value = value.decode()
        fits = isinstance(value, str) and len(value.encode()) <= bytes_max
    except UnicodeError as error:
        raise UndecodableError(f"header {name} is not UTF-8") from error
    if not isinstance(value, str) or not fits:
        raise UndecodableError(f"header {name} is not text of at most {bytes_max} bytes")
    return value


def whole(headers: Headers, name: str, default: int) -> int:
    """Return the header *name* as a whole number from 0 to 2**63 - 1; *default* when absent.

    Raises:
        UndecodableError: it is something else.

    """
    value = headers.get(name, default)
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        raise UndecodableError(f"header {name} is not a whole number from 0 to {INTEGER_MAX}")
    return value
