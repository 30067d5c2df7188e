"""Bodies, replies and states as bytes, and back, within bounds.

Two encodings: msgpack, and JSON where bytes travel as `{"$bytes": "<base64>"}` and a map
that looks like that has one more `$` put before its key. Never pickle, no msgpack
extension types. Invariants: decoding untrusted bytes raises `UndecodableError` or
`PayloadTooLargeError`, or returns plain values of bounded size, count and depth; what
`encode` returns, `decode` reads.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable
from functools import partial
from math import isfinite
from typing import Final, NoReturn, Protocol, TypeAlias, cast

import msgpack  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs] # it has no stubs

from broker_actors.core import packer, wire
from broker_actors.core.envelope import MEDIA_TYPES, MSGPACK
from broker_actors.core.errors import PayloadTooLargeError, Plain, UndecodableError

BODY_BYTES_MAX: Final = wire.BODY_BYTES_MAX
DEPTH_MAX: Final = 64
#: Entries of all lists and maps of one body, a map's keys included. A megabyte of empty
#: maps would take 76 MB of memory.
ITEMS_MAX: Final = 262_144
#: What msgpack can hold, and so the bounds of both encodings.
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**64 - 1
#: Why an integer cannot be encoded, and what to do.
BEYOND_64_BITS: Final = (
    "an integer beyond 64 bits cannot be sent or stored: they go from -2**63 to 2**64 - 1; pass a larger "
    "one as text, `str(number)`, and read it with `int(text)`"
)

Simplify = Callable[[object], object]
_Map: TypeAlias = dict[object, object]
_List: TypeAlias = list[object]

_PLAIN: Final[tuple[type, ...]] = (
    type(None),
    bool,
    int,
    float,
    str,
    bytes,
    bytearray,
    memoryview,
    list,
    tuple,
    dict,
)
#: All bytes but those a msgpack map or list begins with, to be left out when these are counted.
_NO_CONTAINER: Final = bytes(
    byte for byte in range(256) if byte not in {*range(0x80, 0xA0), *range(0xDC, 0xE0)}
)
_ESCAPED: Final = re.compile(r"\$+bytes")
_CONTAINERS: Final = frozenset({dict, list})
_TEXT: Final = frozenset({str})
# These are told of a type that was looked at; a cast in each place would be a call.
_kinds_in: Final = cast("Callable[[object], Iterable[type]]", partial(map, type))
_values_of: Final = cast("Callable[[object], Collection[object]]", dict[object, object].values)
#: What is encoded as it is, and no larger than it looks.
SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
#: Of what need not be read again once it is encoded: entries of each list and map that holds others, and
#: how deep they lie.
ITEMS_FEW: Final = 16
LEVELS_FEW: Final = 3
#: Characters that stay within every limit.
TEXT_SHORT: Final = 1_024
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def refuse(value: object) -> object:
    """Refuse what neither encoding knows; the default of `encode`.

    Raises:
        TypeError: always, naming the type.

    """
    if isinstance(value, int):
        raise TypeError(BEYOND_64_BITS)
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
        simplify: called for every value of an unknown type until it is plain; raises
            TypeError for what cannot travel.
        what: names the thing in errors.
        bytes_max: the largest result, in bytes.

    Raises:
        TypeError: a value has no plain form, or its plain form is out of the bounds of `decode`.
        UndecodableError: the content type is unknown.
        PayloadTooLargeError: more than *bytes_max* bytes.

    """
    if content_type not in MEDIA_TYPES:
        raise UndecodableError(f"unknown content type {content_type!r}")
    try:
        data = _to_msgpack(value, simplify) if content_type == MSGPACK else _to_json(value, simplify)
    except (ValueError, OverflowError, RecursionError) as error:
        raise TypeError(f"the {what} cannot be encoded: {error}") from error
    if len(data) > bytes_max:
        raise PayloadTooLargeError(f"the {what} has {len(data)} bytes; the limit is {bytes_max}")
    # Each item takes a byte at least.
    if content_type == MSGPACK and len(data) <= ITEMS_MAX and _reads_back(value):
        return data
    try:
        # A state that is written and cannot be read again would be the end of its actor.
        decode(data, content_type, bytes_max=bytes_max)
    except UndecodableError as error:
        raise TypeError(f"the {what} could not be decoded again: {error}") from error
    return data


def decode(data: bytes, content_type: str = MSGPACK, *, bytes_max: int = BODY_BYTES_MAX) -> Plain:
    """Return the plain value in *data*. Of equal keys of one map the last counts.

    Raises:
        PayloadTooLargeError: more than *bytes_max* bytes.
        UndecodableError: not valid in that encoding, deeper than `DEPTH_MAX`, or more
            than `ITEMS_MAX` items.

    """
    if len(data) > bytes_max:
        raise PayloadTooLargeError(f"{len(data)} bytes; the limit is {bytes_max}")
    if content_type not in MEDIA_TYPES:
        raise UndecodableError(f"unknown content type {content_type!r}")
    try:
        value = _from_msgpack(data) if content_type == MSGPACK else _from_json(data)
    except (ValueError, RecursionError, TypeError, MemoryError, msgpack.UnpackException) as error:
        raise UndecodableError(f"not valid {content_type}: {str(error) or type(error).__name__}") from error
    if len(data) > DEPTH_MAX and not _is_surely_small(data, content_type):
        _check_bounds(value)
    return value


def decode_map(data: bytes, content_type: str = MSGPACK) -> dict[str, Plain]:
    """Return the map in *data*, as `decode`; every key is text.

    Raises:
        PayloadTooLargeError: see `decode`.
        UndecodableError: see `decode`; also when it is not a map with text keys.

    """
    value = decode(data, content_type)
    if not isinstance(value, dict) or not has_text_keys(value):
        raise UndecodableError("expected a map with text keys")
    return value


def has_text_keys(decoded: Plain) -> bool:
    """Return whether every key of the map *decoded*, which `decode` returned, is text."""
    return _TEXT.issuperset(_kinds_in(decoded))


def is_surely_encodable(value: object) -> bool:
    """Return whether `encode` surely takes *value*, alone or with little around it; seen at a glance."""
    if type(value) is int:
        return INTEGER_MIN <= value <= INTEGER_MAX
    if type(value) is str:
        return len(value) <= TEXT_SHORT and value.isascii()
    return value is None or type(value) is bool


def _reads_back(value: object, levels: int = LEVELS_FEW) -> bool:
    """Whether so few containers are in *value*, and all is so plain, that it can surely be decoded again."""
    kind = type(value)
    if kind is dict:
        if not _TEXT.issuperset(_kinds_in(value)):
            return False
        items = _values_of(value)
    elif kind is list:
        items = cast("_List", value)
    else:
        return kind in SCALARS
    if SCALARS.issuperset(map(type, items)):
        return True
    if len(items) > ITEMS_FEW or not levels:
        return False
    for item in items:  # noqa: SIM110 - a generator costs more than all of this
        if type(item) not in SCALARS and not _reads_back(item, levels - 1):
            return False
    return True


def _is_surely_small(data: bytes, content_type: str) -> bool:
    """Whether so few containers are in *data* that it cannot break a bound, as in most bodies."""
    if content_type == MSGPACK:
        containers = len(data.translate(None, _NO_CONTAINER))
    else:
        containers = data.count(b"[") + data.count(b"{")
    return containers <= DEPTH_MAX and len(data) <= ITEMS_MAX


def _check_bounds(value: object) -> None:
    level, items = [value], 0
    for _ in range(DEPTH_MAX + 1):
        maps = [cast("_Map", one) for one in level if type(one) is dict]
        lists = [cast("_List", one) for one in level if type(one) is list]
        if not maps and not lists:
            return
        items += sum(map(len, lists)) + 2 * sum(map(len, maps))
        if items > ITEMS_MAX:
            raise UndecodableError(f"more than {ITEMS_MAX} items")
        level = [one for found in lists for one in found if type(one) in _CONTAINERS]
        # A map's keys are never containers: those cannot be hashed.
        level += [one for found in maps for one in found.values() if type(one) in _CONTAINERS]
    raise UndecodableError(f"nested deeper than {DEPTH_MAX}")


# --- msgpack ------------------------------------------------------------------


class _Unpack(Protocol):
    def __call__(
        self,
        data: bytes,
        /,
        *,
        strict_map_key: bool,
        max_array_len: int,
        max_map_len: int,
        max_ext_len: int,
        ext_hook: Callable[[int, bytes], object],
    ) -> Plain: ...


# msgpack has no types of its own.
_unpackb = cast("_Unpack", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]


def _to_msgpack(value: object, simplify: Simplify) -> bytes:
    def plainer(one: object) -> object:
        return _simplified(one, simplify)

    return packer.pack(value, plainer)


def _no_extension(code: int, _data: bytes) -> NoReturn:
    raise UndecodableError(f"msgpack extension type {code}")


_from_msgpack: Final = partial(
    _unpackb,
    strict_map_key=False,
    max_array_len=ITEMS_MAX,
    max_map_len=ITEMS_MAX,
    max_ext_len=0,
    ext_hook=_no_extension,
)


def _simplified(value: object, simplify: Simplify) -> object:
    # An enum's value may be a UUID. Each step is one plainer, so that few are enough.
    for _ in range(DEPTH_MAX):
        value = simplify(value)
        if _is_plain(value):
            return value
    raise TypeError(f"a value of type {type(value).__qualname__} never becomes plain")


def _is_plain(value: object) -> bool:
    return isinstance(value, _PLAIN)


# --- JSON ---------------------------------------------------------------------


def _to_json(value: object, simplify: Simplify) -> bytes:
    plain = _without_bytes(value, simplify)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _without_bytes(value: object, simplify: Simplify) -> object:
    match value:
        case None | bool() | float() | str():
            return value
        case int():
            return _bounded(value)
        case bytes() | bytearray() | memoryview():
            return {"$bytes": b64encode(cast("bytes", value)).decode()}
        case dict():
            given = cast("_Map", value)
            found = {_key(key, simplify): _without_bytes(item, simplify) for key, item in given.items()}
            if len(found) != len(given):
                raise TypeError("a map has two keys that are the same in JSON")
            return _escaped(found)
        case list() | tuple():
            return [_without_bytes(item, simplify) for item in cast("_List | tuple[object, ...]", value)]
        case _:
            return _without_bytes(_simplified(value, simplify), simplify)


def _key(key: object, simplify: Simplify) -> str:
    match key:
        case str():
            return key
        case bool():
            return "true" if key else "false"
        case int() | float():
            # Not `repr(key)`: an enum's members may be numbers.
            return json.dumps(key, allow_nan=False)
        case _ if _is_plain(key):
            raise TypeError(f"a map key of type {type(key).__qualname__} cannot be sent as JSON")
        case _:
            return _key(_simplified(key, simplify), simplify)


def _escaped(found: dict[str, object]) -> dict[str, object]:
    if len(found) == 1:
        ((name, item),) = found.items()
        if _ESCAPED.fullmatch(name):
            return {f"${name}": item}
    return found


def _from_json(data: bytes) -> Plain:
    # Decoded here, for `json.loads` would let other encodings and surrogates pass.
    text = data.decode()
    value: Plain = json.loads(
        text,
        object_hook=_with_bytes,
        parse_int=_read_int,
        parse_float=_read_float,
        parse_constant=_no_constant,
    )
    if _SURROGATE.search(text):
        # Raises where an escape left half a pair, which nothing could encode again.
        json.dumps(value, ensure_ascii=False, default=lambda _bytes: None).encode()
    return value


def _with_bytes(found: dict[str, object]) -> object:
    if len(found) != 1:
        return found
    ((name, item),) = found.items()
    if _ESCAPED.fullmatch(name) is None:
        return found
    if name != "$bytes":
        return {name[1:]: item}
    if not isinstance(item, str):
        raise UndecodableError("$bytes must be base64 text")
    return b64decode(item, validate=True)


def _read_int(digits: str) -> int:
    return _bounded(int(digits))


def _read_float(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise UndecodableError(f"{digits[:40]} is beyond a 64-bit float")
    return number


def _no_constant(name: str) -> NoReturn:
    raise UndecodableError(f"{name} is not JSON")


def _bounded(number: int) -> int:
    if not INTEGER_MIN <= number <= INTEGER_MAX:
        raise ValueError(BEYOND_64_BITS)
    return number
