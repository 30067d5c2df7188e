"""Header tables: what may be sent, checked before anything else can be harmed by it.

A header AMQP cannot encode would fail in the middle of sending; one larger than a frame
would end the connection for everybody. Both are refused here, in their caller's hands.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final, cast

from pamqp import encode
from pamqp.common import FieldArray, FieldTable, FieldValue

from broker_actors.core.errors import PayloadTooLargeError, UndecodableError
from broker_actors.core.wire import Headers

#: A header table travels in one frame; the broker's default frame is 131,072 bytes.
HEADERS_BYTES_MAX: Final = 120_000
#: Longer names would be cut by the library, and two cut names could become one.
NAME_BYTES_MAX: Final = 128
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1
#: Encoded beside each name and value: lengths and the type.
_FIELD_BYTES: Final = 16
#: No character is longer in UTF-8.
_CHARACTER_BYTES_MAX: Final = 4


def to_table(headers: Headers) -> FieldTable:
    """Return *headers* as a table that is known to encode.

    Raises:
        UndecodableError: AMQP has no way to write a name or a value.
        PayloadTooLargeError: more than 120,000 bytes together, or a name over 128 bytes.

    """
    table: FieldTable = {}
    bytes_max = 0
    plain = True
    for name, value in headers.items():
        if len(name) > NAME_BYTES_MAX or not name.isascii():
            _check_name(name)
        if type(value) is str:
            bytes_max += _CHARACTER_BYTES_MAX * len(value) + _FIELD_BYTES + NAME_BYTES_MAX
            plain = plain and value.isascii()
            table[name] = value
        elif type(value) is int and INTEGER_MIN <= value <= INTEGER_MAX:
            bytes_max += _FIELD_BYTES + NAME_BYTES_MAX
            table[name] = value
        else:
            plain = False
            table[name] = _to_field(value)
    if not plain or bytes_max > HEADERS_BYTES_MAX:
        _check_encoded(table)
    return table


def too_large(size_bytes: int) -> PayloadTooLargeError:
    """Return what a table of *size_bytes* is refused with."""
    return PayloadTooLargeError(f"headers are {size_bytes} bytes, the limit is {HEADERS_BYTES_MAX}")


def _check_name(name: str) -> None:
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError as error:
        raise UndecodableError(f"header name {name!r} cannot be written as UTF-8") from error
    if size_bytes > NAME_BYTES_MAX:
        raise PayloadTooLargeError(f"header name {name!r} is longer than {NAME_BYTES_MAX} bytes")


def _check_encoded(table: FieldTable) -> None:
    try:
        size_bytes = len(encode.field_table(table))
    except (TypeError, ValueError, OverflowError, RecursionError, struct.error) as error:
        raise UndecodableError(f"headers cannot be written as an AMQP table: {error}") from error
    if size_bytes > HEADERS_BYTES_MAX:
        raise too_large(size_bytes)


def _to_field(value: object) -> FieldValue | FieldTable | FieldArray:
    """Return *value* in the types the encoder knows; others are left for it to refuse."""
    if isinstance(value, bytes):
        return bytearray(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(name): _to_field(item) for name, item in items}
    if isinstance(value, Sequence) and not isinstance(value, str | bytearray):
        return [_to_field(item) for item in cast("Sequence[object]", value)]
    return cast("FieldValue", value)
