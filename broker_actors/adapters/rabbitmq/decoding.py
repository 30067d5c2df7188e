"""Content headers as they come from a broker, read into the broker-neutral form.

Usual ones are read here, all others by the library. Invariant: whatever anybody has published comes
out as a message. Properties that cannot be decoded are left out altogether: core finds no address in
the message then, and buries it.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from pamqp.header import ContentHeader

from broker_actors.adapters.rabbitmq.delivery import wire_message
from broker_actors.adapters.rabbitmq.frames import CONTENT_BYTES
from broker_actors.core.wire import WireMessage

_CONTENT_TYPE: Final = 0x8000
_HEADERS: Final = 0x2000
_DELIVERY_MODE: Final = 0x1000
_PRIORITY: Final = 0x0800
_CORRELATION_ID: Final = 0x0400
_REPLY_TO: Final = 0x0200
_MESSAGE_ID: Final = 0x0080
_TIMESTAMP: Final = 0x0040
_TYPE: Final = 0x0020
_USUAL: Final = (
    _CONTENT_TYPE
    | _HEADERS
    | _DELIVERY_MODE
    | _PRIORITY
    | _CORRELATION_ID
    | _REPLY_TO
    | _MESSAGE_ID
    | _TIMESTAMP
    | _TYPE
)
_FLAGS_BYTES: Final = 2

_SIZE: Final = struct.Struct(">I")
_SECONDS: Final = struct.Struct(">Q")
#: A greater timestamp is taken for milliseconds by the library.
_SECONDS_MAX: Final = 0xFFFFFFFF
_TEXT: Final = ord("S")
#: Numbers in tables, by what their bytes begin with.
_NUMBERS: Final = {
    ord(kind): struct.Struct(form)
    for kind, form in {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q"}.items()
}


#: How the header begins that differs between all envelopes of one sender to one actor.
_NUMBER: Final = b"\x06ba-seq"
#: It and the last one behind it, as the platform writes them.
_NUMBERS_OF_SENDER: Final = struct.Struct(">8sq8sq")
_NUMBERS_BYTES: Final = _NUMBERS_OF_SENDER.size
_NUMBER_NAME: Final = b"\x06ba-seql"
_LOW_NAME: Final = b"\x06ba-lowl"
#: What a tell of the platform has; how it goes on with those numbers, behind them the delivery mode and the
#: size of the message id; and how behind that: with the timestamp and the size of the type, which ends it.
_TELL: Final = _CONTENT_TYPE | _HEADERS | _DELIVERY_MODE | _MESSAGE_ID | _TIMESTAMP | _TYPE
_TO_MESSAGE_ID: Final = struct.Struct(">8sq8sqxB")
_TO_MESSAGE_ID_BYTES: Final = _TO_MESSAGE_ID.size
_TO_TYPE: Final = struct.Struct(">QB")
_TO_TYPE_BYTES: Final = _TO_TYPE.size
#: Beginnings of content headers that are remembered, and the longest of them.
BEGINNINGS_KEPT: Final = 2_048
BEGINNING_BYTES_MAX: Final = 512


class _UnusualError(Exception):
    """Something that is left to the library."""


def message_of(header: bytes, body: bytes) -> WireMessage:
    """Return the message whose content header has the payload *header*."""
    try:
        return _usual(header, body)
    except (_UnusualError, struct.error, IndexError, ValueError):
        return _any(header, body)


def _any(header: bytes, body: bytes) -> WireMessage:
    content = ContentHeader()
    try:
        content.unmarshal(header)
        return wire_message(content.properties, body)
    except Exception:  # noqa: BLE001 - whatever it is: tables nested too deep end in a RecursionError
        return WireMessage(body=body)


def _usual(header: bytes, body: bytes) -> WireMessage:
    number_at = header.find(_NUMBER, CONTENT_BYTES, BEGINNING_BYTES_MAX)
    if number_at < 0:
        flags, content_type, headers, last = _begun(header[CONTENT_BYTES:])
        return _ended(header, body, flags, content_type, headers, CONTENT_BYTES + last)
    flags, content_type, beginning, last = _remembered(header[CONTENT_BYTES:number_at])
    offset = CONTENT_BYTES + last
    if flags == _TELL and offset - number_at == _NUMBERS_BYTES:
        tell = _tell(header, body, number_at, content_type, beginning)
        if tell is not None:
            return tell
    if not flags & _HEADERS or offset < number_at:
        # What looks like a header's name stands elsewhere.
        raise _UnusualError
    headers = beginning.copy()
    _read_numbers(headers, header, number_at, offset)
    return _ended(header, body, flags, content_type, headers, offset)


def _ended(
    header: bytes, body: bytes, flags: int, content_type: str, headers: dict[str, object], offset: int
) -> WireMessage:
    """Return the message of which what lies behind the table, at *offset*, is not read yet."""
    correlation_id, reply_to, message_id, method, sent_seconds = "", "", "", "", 0
    offset += bool(flags & _DELIVERY_MODE) + bool(flags & _PRIORITY)
    if flags & _CORRELATION_ID:
        correlation_id, offset = _short(header, offset)
    if flags & _REPLY_TO:
        reply_to, offset = _short(header, offset)
    if flags & _MESSAGE_ID:
        message_id, offset = _short(header, offset)
    if flags & _TIMESTAMP:
        (sent_seconds,) = _SECONDS.unpack_from(header, offset)
        offset += _SECONDS.size
    if flags & _TYPE:
        method, offset = _short(header, offset)
    if offset > len(header) or sent_seconds > _SECONDS_MAX:
        raise _UnusualError
    return WireMessage(
        headers, body, content_type, method, correlation_id, reply_to, sent_seconds, message_id
    )


def _tell(
    header: bytes, body: bytes, number_at: int, content_type: str, beginning: dict[str, object]
) -> WireMessage | None:
    """Return what `_read_numbers` and `_ended` make of the platform's own tells; None if it is none."""
    name, number, low_name, low, id_bytes = _TO_MESSAGE_ID.unpack_from(header, number_at)
    id_at = number_at + _TO_MESSAGE_ID_BYTES
    id_end = id_at + id_bytes
    sent_seconds, type_bytes = _TO_TYPE.unpack_from(header, id_end)
    type_at = id_end + _TO_TYPE_BYTES
    if (
        name != _NUMBER_NAME
        or low_name != _LOW_NAME
        or sent_seconds > _SECONDS_MAX
        or type_at + type_bytes != len(header)
    ):
        return None
    headers = beginning | {"ba-seq": number, "ba-low": low}
    method, message_id = header[type_at:].decode(), header[id_at:id_end].decode()
    return WireMessage(headers, body, content_type, method, "", "", sent_seconds, message_id)


def _begun(data: bytes) -> tuple[int, str, dict[str, object], int]:
    """Return what properties begin with: flags, content type and table, and where that ends.

    Of a table that is cut, what *data* has of it.
    """
    flags, offset = data[0] << 8 | data[1], _FLAGS_BYTES
    if flags & ~_USUAL:
        raise _UnusualError
    content_type, headers = "", dict[str, object]()
    if flags & _CONTENT_TYPE:
        content_type, offset = _short(data, offset)
    if flags & _HEADERS:
        begin = offset + _SIZE.size
        offset = begin + _SIZE.unpack_from(data, offset)[0]
        _read_table(headers, data, begin, min(offset, len(data)))
    return flags, content_type, headers, offset


#: What one sender sends to one actor begins alike, up to its number.
_remembered: Final = lru_cache(BEGINNINGS_KEPT)(_begun)


def _short(data: bytes, offset: int) -> tuple[str, int]:
    begin = offset + 1
    end = begin + data[offset]
    return data[begin:end].decode(), end


def _read_numbers(table: dict[str, object], data: bytes, offset: int, last: int) -> None:
    """Do what `_read_table` does, of what begins with what most senders number with."""
    if last - offset >= _NUMBERS_BYTES:
        name, number, low_name, low = _NUMBERS_OF_SENDER.unpack_from(data, offset)
        if name == _NUMBER_NAME and low_name == _LOW_NAME:
            table["ba-seq"] = number
            table["ba-low"] = low
            offset += _NUMBERS_BYTES
    _read_table(table, data, offset, last)


def _read_table(table: dict[str, object], data: bytes, offset: int, last: int) -> None:
    """Put the entries from *offset* to *last* into *table*; raises if none ends there."""
    while offset < last:
        # Not by `_short`: there are six of them in most messages.
        begin = offset + 1
        kind_at = begin + data[offset]
        name, kind = data[begin:kind_at].decode(), data[kind_at]
        offset = kind_at + 1
        if kind == _TEXT:
            begin = offset + _SIZE.size
            offset = begin + _SIZE.unpack_from(data, offset)[0]
            table[name] = data[begin:offset].decode()
        elif (number := _NUMBERS.get(kind)) is not None:
            (table[name],) = number.unpack_from(data, offset)
            offset += number.size
        else:
            raise _UnusualError
    if offset != last:
        raise _UnusualError
