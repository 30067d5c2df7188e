"""Which attributes of a class are durable, and which declarations of them cannot work.

Durable are exactly the public names annotated on the class and its bases, except ClassVar,
Final and InitVar.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import Field, InitVar
from functools import cached_property
from types import FunctionType
from typing import Final, cast, get_origin

from broker_actors.actor import hints
from broker_actors.actor.hints import Locals
from broker_actors.actor.method import Method
from broker_actors.core.errors import ConfigurationError

_CONSTANT: Final = frozenset[object]({typing.ClassVar, typing.Final, InitVar})


def durable_types(cls: type, scope: Locals) -> dict[str, object]:
    """Return the durable names of *cls* with their types, those of its bases first.

    Args:
        cls: the actor class.
        scope: the local variables around the class.

    Raises:
        ConfigurationError: an annotation does not resolve, a default is mutable, or a
            property has the name of a durable attribute.

    """
    types: dict[str, object] = {}
    constants: set[str] = set()
    for base in reversed(cls.__mro__):
        public = {n: hint for n, hint in inspect.get_annotations(base).items() if not n.startswith("_")}
        for name, hint in hints.of_class(base, public, scope, f"{cls.__name__}: its state").items():
            types.pop(name, None)
            constants.discard(name)
            if _is_constant(hint):
                constants.add(name)
            else:
                types[name] = hint
    _check_declared(cls, types)
    _check_shared(cls, types.keys() | constants)
    return types


def public_slots(cls: type) -> Iterator[str]:
    """Yield the public names in the `__slots__` of *cls* and its bases."""
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if inspect.ismemberdescriptor(value) and not name.startswith("_"):
                yield name


def guessed_type(value: object) -> str:
    """Return an annotation that fits *value*, for advice."""
    match value:
        case None:
            return "int | None"
        case dict() if value:
            key, item = next(iter(cast("dict[object, object]", value).items()))
            return f"dict[{guessed_type(key)}, {guessed_type(item)}]"
        case list() | set() | frozenset() if value:
            members = cast("Iterable[object]", value)
            return f"{_name(members)}[{guessed_type(next(iter(members)))}]"
        case _:
            return _name(value)


def _name(value: object) -> str:
    return type(value).__name__


def _is_constant(hint: object) -> bool:
    return (get_origin(hint) or hint) in _CONSTANT or isinstance(hint, InitVar)


def _check_declared(cls: type, types: Mapping[str, object]) -> None:
    for name in types:
        where, default = f"{cls.__name__}.{name}", inspect.getattr_static(cls, name, None)
        if isinstance(default, property | cached_property | FunctionType | Method):
            text = f"{where} is annotated as state and also a property or a function: rename one of them"
        elif isinstance(default, Field):
            text = f"{where}: @actor goes above @dataclass, so that it sees the finished class"
        elif _is_mutable(default):
            text = (
                f"{where} has a mutable default that all actors would share: declare it without and "
                "set it in __init__, or use a dataclass with field(default_factory=...)"
            )
        else:
            continue
        raise ConfigurationError(text)


def _check_shared(cls: type, declared: AbstractSet[str]) -> None:
    # Changing one in place would neither be stored nor stay in this actor, and nothing would tell.
    for name in dir(cls):
        if name.startswith("_") or name in declared:
            continue
        value: object = inspect.getattr_static(cls, name)
        if _is_mutable(value):
            text = (
                f"{cls.__name__}.{name} is mutable and shared by all actors: for state declare "
                f'"{name}: {guessed_type(value)}" and set it in __init__, for a constant "{name}: ClassVar"'
            )
            raise ConfigurationError(text)


def _is_mutable(value: object) -> bool:
    return type(value).__hash__ is None
