"""Bodies, replies and states as bytes, and back, within bounds.

Two encodings: msgpack, and JSON where bytes travel as `{"$bytes": "<base64>"}`. Never
pickle, no msgpack extension types. Invariant: decoding untrusted bytes raises
`UndecodableError` or returns plain values of bounded size, count and depth.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Final, cast

import msgpack

from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import PayloadTooLargeError, Plain, UndecodableError

#: Bodies, states and replies; a larger thing belongs in an object store, with its address in the message.
BODY_BYTES_MAX: Final = 1_048_576
DEPTH_MAX: Final = 64
#: Containers and scalars in one body. A megabyte of empty maps would take 76 MB of memory.
ITEMS_MAX: Final = 262_144

Simplify = Callable[[object], object]


def refuse(value: object) -> object:
    """Refuse what neither encoding knows; the default of `encode`.

    Raises:
        TypeError: always, naming the type.

    """
    text = f"a value of type {type(value).__qualname__} cannot be sent"
    raise TypeError(text)


def encode(
    value: object,
    content_type: str = MSGPACK,
    *,
    simplify: Simplify = refuse,
    what: str = "body",
    bytes_max: int = BODY_BYTES_MAX,
) -> bytes:
    """Return *value* encoded.

    Args:
        value: plain values, and whatever *simplify* turns into them.
        content_type: `application/msgpack` or `application/json`.
        simplify: called for every value of an unknown type; raises TypeError for what cannot travel.
        what: names the thing in errors.
        bytes_max: the largest result, in bytes.

    Raises:
        TypeError: a value has no plain form.
        UndecodableError: the content type is unknown.
        PayloadTooLargeError: more than *bytes_max* bytes.

    """
    if content_type == MSGPACK:
        try:
            data = cast("bytes", msgpack.packb(value, default=simplify))
        except (ValueError, OverflowError) as error:
            raise TypeError(f"the {what} cannot be encoded: {error}") from error
    elif content_type == JSON:
        data = json.dumps(_without_bytes(value, simplify), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    else:
        raise UndecodableError(f"unknown content type {content_type!r}")
    if len(data) > bytes_max:
        raise PayloadTooLargeError(f"the {what} has {len(data)} bytes; the limit is {bytes_max}")
    return data


def decode(data: bytes, content_type: str = MSGPACK, *, bytes_max: int = BODY_BYTES_MAX) -> Plain:
    """Return the plain value in *data*.

    Raises:
        PayloadTooLargeError: more than *bytes_max* bytes.
        UndecodableError: not valid in that encoding, deeper than `DEPTH_MAX`, or more
            than `ITEMS_MAX` items.

    """
    if len(data) > bytes_max:
        raise PayloadTooLargeError(f"{len(data)} bytes; the limit is {bytes_max}")
    try:
        if content_type == MSGPACK:
            value = msgpack.unpackb(data, strict_map_key=False, max_ext_len=0, ext_hook=_no_extension)
        elif content_type == JSON:
            value = json.loads(data, object_hook=_with_bytes)
        else:
            raise UndecodableError(f"unknown content type {content_type!r}")
    except (ValueError, RecursionError, TypeError, msgpack.UnpackException) as error:
        raise UndecodableError(f"not valid {content_type}: {str(error) or type(error).__name__}") from error
    # Fewer bytes than the bounds cannot break them, and most bodies are that small.
    if len(data) > DEPTH_MAX:
        _check_bounds(value)
    return cast("Plain", value)


def decode_map(data: bytes, content_type: str = MSGPACK) -> dict[str, Plain]:
    """Return the map in *data*, as `decode`; every key is text.

    Raises:
        PayloadTooLargeError: see `decode`.
        UndecodableError: see `decode`; also when it is not a map with text keys.

    """
    value = decode(data, content_type)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UndecodableError("expected a map with text keys")
    return value


def _check_bounds(value: object) -> None:
    level, items = [value], 0
    for _ in range(DEPTH_MAX + 1):
        below: list[object] = []
        for container in level:
            if isinstance(container, dict):
                below.extend(container.keys())
                below.extend(container.values())
            elif isinstance(container, list):
                below.extend(container)
        items += len(below)
        if items > ITEMS_MAX:
            raise UndecodableError(f"more than {ITEMS_MAX} items")
        if not below:
            return
        level = below
    raise UndecodableError(f"nested deeper than {DEPTH_MAX}")


def _no_extension(code: int, _data: bytes) -> object:
    raise UndecodableError(f"msgpack extension type {code}")


def _without_bytes(value: object, simplify: Simplify) -> object:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes() | bytearray() | memoryview():
            return {"$bytes": b64encode(value).decode()}
        case dict():
            return {str(key): _without_bytes(item, simplify) for key, item in value.items()}
        case list() | tuple():
            return [_without_bytes(item, simplify) for item in value]
        case _:
            return _without_bytes(simplify(value), simplify)


def _with_bytes(found: dict[str, object]) -> object:
    encoded = found.get("$bytes")
    if len(found) == 1 and isinstance(encoded, str):
        return b64decode(encoded, validate=True)
    return found
