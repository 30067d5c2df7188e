"""Values of declared types as plain ones: what `codec.encode` asks for what it does not know.

Invariant: a value `simplify` accepts comes back equal when it is validated as its declared
type. Two exceptions follow from the wire: in a union such as `datetime | str` the plain
form is a string already, and pydantic takes it for the string; under Any all stays plain.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from typing import Final, cast
from uuid import UUID

from pydantic import AnyUrl, BaseModel
from pydantic_core import to_jsonable_python

from broker_actors.actor.handle import Handle
from broker_actors.core import codec

_AS_TEXT: Final = (
    UUID,
    PurePath,
    AnyUrl,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
#: All values of one of these types have one order.
_ORDERED: Final = frozenset[type]({bytes, int, str, UUID})


def simplify(value: object) -> object:
    """Return *value* one step plainer; the `default` hook of both encodings.

    Raises:
        TypeError: no declared type could turn it back; the text says what to do.

    """
    match value:
        case Handle():
            text = f"{value} is a ref: send its id (`ref.actor_id`) and make a ref where it arrives"
            raise TypeError(text)
        case BaseModel():
            # By field name and without computed fields: exactly what validates again.
            return value.model_dump(mode="python", by_alias=False, round_trip=True, warnings=False)
        case Enum():
            return _member(value)
        case datetime() | date() | time() | timedelta():
            return _moment(value)
        case Decimal():
            return _decimal(value)
        case set() | frozenset():
            return _in_order(cast("AbstractSet[object]", value))
        case _ if isinstance(value, _AS_TEXT):
            return str(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        case _:
            raise TypeError(_advice(value))


def _member(value: Enum) -> object:
    plain: object = value.value
    if plain is None or isinstance(plain, bool | int | float | str | bytes):
        return plain
    text = f"{value} cannot be sent or stored: enums travel by value, and {plain!r} is not a plain one"
    raise TypeError(text)


def _moment(value: datetime | date | time | timedelta) -> object:
    match value:
        case timedelta():
            return to_jsonable_python(value)
        case datetime() if (offset := value.utcoffset()) is not None and offset % timedelta(minutes=1):
            # Offsets of local mean time have seconds, which ISO 8601 and its parsers do not know.
            return value.astimezone(UTC).isoformat()
        case _:
            return value.isoformat()


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        text = f"Decimal({str(value)!r}) cannot be sent or stored: use None, or a float"
        raise TypeError(text)
    return str(value)


def _in_order(value: AbstractSet[object]) -> list[object]:
    """Return the members in an order that does not depend on the process's hash seed."""
    kinds = {type(member) for member in value}
    if len(kinds) == 1 and kinds <= _ORDERED:
        return [*sorted(cast("AbstractSet[str]", value))]
    return sorted(value, key=lambda member: codec.encode(member, simplify=simplify))


def _advice(value: object) -> str:
    if isinstance(value, int):
        # The encodings know integers; they ask about one that is too large for them.
        return codec.BEYOND_64_BITS
    name = type(value).__qualname__
    text = f"a value of type {name} cannot be sent or stored"
    if callable(value) or hasattr(value, "__await__") or hasattr(value, "__next__"):
        return f"{text}: a forgotten call, await or loop?"
    return f"{text}: make {name} a dataclass or a pydantic model, or pass plain values"
