"""What a method's function is: sync, async or a stream, and what it takes and gives."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
)
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, get_args, get_origin

from broker_actors.actor import hints
from broker_actors.actor.arguments import Arguments
from broker_actors.actor.hints import AnyFunction, Locals
from broker_actors.core.errors import ConfigurationError

_LAZY: Final = (AsyncIterator, AsyncGenerator, Iterator, Generator)
_YIELDED: Final = (*_LAZY, AsyncIterable, Iterable)


class Kind(StrEnum):
    """How a method runs."""

    SYNC = "sync"
    ASYNC = "async"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Signature:
    """A method's function, compiled.

    Attributes:
        kind: how it runs.
        arguments: what it takes and gives.

    """

    kind: Kind
    arguments: Arguments


def compiled(where: str, function: AnyFunction, scope: Locals) -> Signature:
    """Return what *function* is.

    Args:
        where: names the method in errors.
        function: as defined in the class.
        scope: the local variables around the class.

    Raises:
        ConfigurationError: an annotation does not resolve, or has no plain form.

    """
    types = hints.of_function(function, scope, where)
    result = types.get("return", Any)
    kind = _kind(function, result)
    if kind is Kind.ASYNC and get_origin(result) in _LAZY:
        text = f"{where} is `async def`, returns an iterator and never yields: write `def`, or yield in it"
        raise ConfigurationError(text)
    if kind is Kind.STREAM:
        result = _given(result)
    return Signature(kind, Arguments(where, function, types, result))


def _kind(function: AnyFunction, result: object) -> Kind:
    # A decorator below `@method` may have hidden the `async` in a plain wrapper.
    inner = inspect.unwrap(function)
    if inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner):
        return Kind.STREAM
    if inspect.iscoroutinefunction(inner):
        return Kind.ASYNC
    # The body of a contract yields nothing; its annotation still promises a stream.
    return Kind.STREAM if get_origin(result) in _LAZY else Kind.SYNC


def _given(result: object) -> object:
    """Return the type of one value of an iterator of type *result*."""
    of = get_args(result)
    return of[0] if of and get_origin(result) in _YIELDED else Any
