"""Which messages a class understands, and which it must not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from broker_actors.actor.handle import RESERVED_NAMES
from broker_actors.actor.hints import Locals
from broker_actors.actor.method import AnyMethod, Method
from broker_actors.core.envelope import METHOD_CHARACTERS_MAX
from broker_actors.core.errors import ConfigurationError

#: Functions of an actor class that the platform calls.
HOOKS: Final = ("activate", "deactivate")


def methods_of(cls: type, scope: Locals) -> Mapping[str, AnyMethod]:
    """Return *cls*'s methods by name, compiled, inherited ones included.

    Args:
        cls: an actor or a contract.
        scope: the local variables around the class.

    Raises:
        ConfigurationError: a name is taken or private, an override forgot its `@method`,
            or a signature does not compile.

    """
    found: dict[str, AnyMethod] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Method):
                one = cast("AnyMethod", value)
                _check_name(f"{cls.__name__}.{name}", name, one)
                found[name] = one
            elif name in found:
                text = f"{cls.__name__}.{name} overrides a message: decorate it with @method too"
                raise ConfigurationError(text)
    for name, one in found.items():
        one.compile(f"{cls.__name__}.{name}", scope)
    return MappingProxyType(found)


def _check_name(where: str, name: str, one: AnyMethod) -> None:
    if name in RESERVED_NAMES:
        text = f"{where}: every ref has an attribute {name!r} of its own; choose another name"
    elif name in HOOKS:
        text = f"{where} is a hook of the platform: remove @method, or choose another name"
    elif name.startswith("_"):
        text = f"{where}: a message needs a public name"
    elif len(name) > METHOD_CHARACTERS_MAX:
        text = f"{where}: a message's name has at most {METHOD_CHARACTERS_MAX} characters"
    elif name != one.name:
        text = f"{where} is a function named {one.name!r}: rename it, or use functools.wraps in its decorator"
    else:
        return
    raise ConfigurationError(text)
