"""The broker-neutral form of a message, and readings of its untrusted headers.

What belongs here: properties, headers and body as any AMQP 0-9-1 client can write them,
and the checks a header must pass. Invariant: nothing read from a header is trusted
before it went through `text`, `whole` or `optional_whole`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from broker_actors.core.errors import UndecodableError

#: Long enough for a traceback of a usual fault, short of the frame the broker allows for headers.
HEADER_CHARACTERS_MAX: Final = 16_384
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


def text(headers: Headers, name: str, *, characters_max: int = HEADER_CHARACTERS_MAX) -> str:
    """Return the header *name* as text; empty when absent.

    Raises:
        UndecodableError: it is not text, or too long.

    """
    value = headers.get(name, "")
    if isinstance(value, bytes | bytearray):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise UndecodableError(f"header {name} is not UTF-8") from error
    if not isinstance(value, str) or len(value) > characters_max:
        raise UndecodableError(f"header {name} is not text of at most {characters_max} characters")
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
