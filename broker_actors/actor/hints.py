"""Annotations as types, and types as pydantic adapters, or an error that says where.

Everything is resolved while a class is being decorated, so that a typo in a type stops
the program at its start and not one turn in production.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from broker_actors.core.errors import ConfigurationError

#: The local variables of the function a class is defined in; empty for a class of a module.
Locals: TypeAlias = Mapping[str, object]
AnyFunction: TypeAlias = Callable[..., object]

_UNRESOLVED: Final = (NameError, AttributeError, TypeError, SyntaxError)


def locals_of_caller() -> Locals:
    """Return the variables around the class statement, when called by what that statement runs."""
    frame = inspect.currentframe()
    # Two up: past the decorator or the class hook that asks.
    for _ in range(2):
        frame = frame.f_back if frame else None
    return frame.f_locals if frame else {}


def of_function(function: AnyFunction, scope: Locals, where: str) -> dict[str, object]:
    """Return the resolved annotations of *function*, its result under `return`.

    Raises:
        ConfigurationError: one does not resolve; the text starts with *where*.

    """
    try:
        local = _visible(function.__qualname__, scope)
        return typing.get_type_hints(function, localns=local, include_extras=True)
    except _UNRESOLVED as error:
        raise _unresolved(where, error) from error


def of_class(cls: type, annotations: Mapping[str, object], scope: Locals, where: str) -> dict[str, object]:
    """Return some of *cls*'s own annotations resolved, ClassVar and Final kept.

    Raises:
        ConfigurationError: one does not resolve; the text starts with *where*.

    """
    # Not `get_type_hints(cls)`: that resolves private names too, which nothing needs to resolve.
    holder = type(cls.__name__, (), {"__module__": cls.__module__})
    holder.__annotations__ = dict(annotations)
    local = _visible(cls.__qualname__, scope)
    try:
        return typing.get_type_hints(holder, localns=local, include_extras=True)
    except _UNRESOLVED as error:
        raise _unresolved(where, error) from error


def adapter(hint: object, where: str) -> TypeAdapter[object]:
    """Return what converts plain values to *hint*.

    Raises:
        ConfigurationError: pydantic does not know such values; the text starts with *where*.

    """
    try:
        return TypeAdapter(cast("type[object]", hint))
    except PydanticUserError as error:
        raise unsupported(where, error) from error


def unsupported(where: str, error: PydanticUserError) -> ConfigurationError:
    """Return the error for a type whose values cannot be told from plain ones."""
    reason = error.message.split(". Set `arbitrary_types_allowed")[0]
    text = f"{where}: {reason}. Use plain types, dataclasses or pydantic models, and ids in place of refs"
    return ConfigurationError(text)


def _visible(qualname: str, scope: Locals) -> dict[str, object] | None:
    # A base class from another module must not see the names of the function that uses it.
    return dict(scope) if "<locals>" in qualname else None


def _unresolved(where: str, error: Exception) -> ConfigurationError:
    text = (
        f"{where}: an annotation does not resolve ({error}). Define its type before the actor class, "
        "and import it outside `if TYPE_CHECKING`"
    )
    return ConfigurationError(text)
