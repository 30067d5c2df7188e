"""What a real broker's client could not send, refused in the same way, without that client."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from broker_actors.core.errors import PayloadTooLargeError, UndecodableError
from broker_actors.core.wire import WireMessage

#: Of a header's name, as on RabbitMQ.
NAME_BYTES_MAX: Final = 128
#: AMQP's short strings carry one byte of length.
SHORT_STRING_BYTES_MAX: Final = 255
_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**63 - 1


def check(message: WireMessage) -> None:
    """Refuse a message that AMQP cannot carry.

    Raises:
        UndecodableError: there is no way to write a header or a property.
        PayloadTooLargeError: the name of a header, or a property, is too long.

    """
    for name, value in message.headers.items():
        _check_text(f"header name {name!r}", name, NAME_BYTES_MAX)
        # Nearly every header is a short text of ours.
        if type(value) is not str or not value.isascii():
            _check_value(name, value)
    properties = (message.content_type, message.correlation_id, message.reply_to, message.type)
    for value in properties:
        _check_text(f"property {value!r:.99}", value, SHORT_STRING_BYTES_MAX)


def _check_text(what: str, value: str, bytes_max: int) -> None:
    try:
        size_bytes = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError as error:
        raise UndecodableError(f"{what} cannot be written as UTF-8") from error
    if size_bytes > bytes_max:
        raise PayloadTooLargeError(f"{what} is longer than {bytes_max} bytes")


def _check_value(name: str, value: object) -> None:
    try:
        is_known = _is_writable(value)
    except (UnicodeEncodeError, OverflowError, RecursionError) as error:
        raise UndecodableError(f"header {name} cannot be written: {error}") from error
    if not is_known:
        raise UndecodableError(f"header {name} cannot be written: {value!r:.99}")


def _is_writable(value: object) -> bool:
    match value:
        case None | bool() | bytes() | bytearray() | datetime() | Decimal():
            return True
        case str():
            return bool(value.encode()) or not value
        case int():
            return _INTEGER_MIN <= value <= _INTEGER_MAX
        case float():
            # Half of what Python holds: the client library writes no double.
            return bool(struct.pack(">f", value))
        case Mapping():
            return all(_is_writable(item) for item in cast("Mapping[object, object]", value).values())
        case Sequence():
            return all(_is_writable(item) for item in cast("Sequence[object]", value))
        case _:
            return False
