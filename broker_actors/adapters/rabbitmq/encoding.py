"""Publications as frames.

What lies in them is what the library would send, but that headers stay in their order and whole numbers
have eight bytes whatever they are: what one sender sends to one actor then begins alike and ends at
the same place, which saves readers work. Tables with other kinds of values are left to the library.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from pamqp import encode

from broker_actors.adapters.rabbitmq.delivery import PERSISTENT, TIMESTAMP_SECONDS_MAX, short
from broker_actors.adapters.rabbitmq.frames import (
    BODY,
    CONTENT,
    END,
    HEAD,
    HEADER,
    METHOD,
    PUBLISH,
)
from broker_actors.adapters.rabbitmq.headers import (
    HEADERS_BYTES_MAX,
    INTEGER_MAX,
    INTEGER_MIN,
    NAME_BYTES_MAX,
    to_table,
    too_large,
)
from broker_actors.core.wire import Headers, WireMessage

_BASIC: Final = 60
_FLAGS: Final = struct.Struct(">H")
_SIZE: Final = struct.Struct(">I")
_SECONDS: Final = struct.Struct(">Q")
#: A whole number in a table, behind what says that it is one.
_LONG: Final = struct.Struct(">cq")
_LONG_KIND: Final = b"l"
#: Behind the exchange and the routing key: mandatory, not immediate.
_MANDATORY: Final = b"\x01"
_RESERVED: Final = b"\x00\x00"
#: Always there: delivery mode and message id.
_ALWAYS: Final = 0x1000 | 0x0080
_MODE: Final = bytes([PERSISTENT])
_NAMES_KEPT: Final = 256
_ROUTES_KEPT: Final = 4_096
_TEXTS_KEPT: Final = 4_096
#: Longer ones are encoded anew each time, which bounds what is kept.
_KEPT_CHARACTERS_MAX: Final = 255


class _UnusualError(Exception):
    """Something that is left to the library."""


class Properties:
    """Encoded properties, with room for the id of each attempt."""

    __slots__ = ("_after_id", "_before_id")

    def __init__(self, message: WireMessage) -> None:
        """Encode *message*'s; raises what `delivery.to_properties` raises."""
        flags, before, after = _ALWAYS, [b""], [b""]
        if message.content_type:
            flags |= 0x8000
            before.append(_kept_short("content_type", message.content_type))
        if message.headers:
            flags |= 0x2000
            before.append(_table(message.headers))
        before.append(_MODE)
        if message.correlation_id:
            flags |= 0x0400
            before.append(_short("correlation_id", message.correlation_id))
        if message.reply_to:
            flags |= 0x0200
            before.append(_kept_short("reply_to", message.reply_to))
        if 0 < message.timestamp_seconds <= TIMESTAMP_SECONDS_MAX:
            flags |= 0x0040
            after.append(_SECONDS.pack(message.timestamp_seconds))
        if message.type:
            flags |= 0x0020
            after.append(_kept_short("type", message.type))
        before[0] = _FLAGS.pack(flags)
        self._before_id, self._after_id = b"".join(before), b"".join(after)

    def named(self, message_id: str) -> bytes:
        """Return them with *message_id*."""
        name = message_id.encode()
        return b"%b%c%b%b" % (self._before_id, len(name), name, self._after_id)


def frames_of(channel: int, method: bytes, properties: bytes, body: bytes, piece_bytes_max: int) -> bytes:
    """Return the frames that publish *body*.

    Args:
        channel: its number.
        method: see `method_of`.
        properties: encoded.
        body: whatever it is.
        piece_bytes_max: the most that fits into one frame.

    """
    size_bytes = len(body)
    pieces = [
        HEAD.pack(METHOD, channel, len(method)),
        method,
        END,
        HEAD.pack(HEADER, channel, CONTENT.size + len(properties)),
        CONTENT.pack(_BASIC, 0, size_bytes),
        properties,
        END,
    ]
    if size_bytes <= piece_bytes_max:
        if body:
            pieces += [HEAD.pack(BODY, channel, size_bytes), body, END]
    else:
        for start in range(0, size_bytes, piece_bytes_max):
            piece = body[start : start + piece_bytes_max]
            pieces += [HEAD.pack(BODY, channel, len(piece)), piece, END]
    return b"".join(pieces)


@lru_cache(_ROUTES_KEPT)
def method_of(exchange: str, key: str) -> bytes:
    """Return the payload of the method that publishes there.

    Raises:
        PayloadTooLargeError: a name is longer than AMQP allows.
        UndecodableError: a name cannot be written.

    """
    return PUBLISH + _RESERVED + _short("exchange", exchange) + _short("routing key", key) + _MANDATORY


def _short(name: str, value: str) -> bytes:
    data = short(name, value).encode()
    return bytes([len(data)]) + data


def _table(headers: Headers) -> bytes:
    parts: list[bytes] = []
    try:
        for name in headers:
            value = headers[name]
            if type(value) is str:
                parts.append((_kept_text if len(value) <= _KEPT_CHARACTERS_MAX else _text)(name, value))
            elif type(value) is int and INTEGER_MIN <= value <= INTEGER_MAX:
                parts += (_name(name), _LONG.pack(_LONG_KIND, value))
            else:
                raise _UnusualError  # noqa: TRY301 - left to the library, like a name that is too long
    except (_UnusualError, UnicodeEncodeError):
        return encode.field_table(to_table(headers))
    table = b"".join(parts)
    if len(table) + _SIZE.size > HEADERS_BYTES_MAX:
        raise too_large(len(table))
    return _SIZE.pack(len(table)) + table


@lru_cache(_NAMES_KEPT)
def _name(name: str) -> bytes:
    data = name.encode()
    if len(data) > NAME_BYTES_MAX:
        raise _UnusualError
    return bytes([len(data)]) + data


def _text(name: str, value: str) -> bytes:
    data = value.encode()
    return b"%bS%b%b" % (_name(name), _SIZE.pack(len(data)), data)


#: Most of what is said in text comes again and again.
_kept_text: Final = lru_cache(_TEXTS_KEPT)(_text)
_kept_short: Final = lru_cache(_TEXTS_KEPT)(_short)
