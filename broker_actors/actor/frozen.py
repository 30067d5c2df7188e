"""Instances that refuse to be written: `self` of a method that interleaves or runs off the loop.

A subclass of the user's class, made once, whose `__setattr__` and `__delattr__` raise; an
instance is frozen and thawed by changing its class. Invariant: both classes have the same
layout, so that the change never fails. What an attribute *holds* can still be changed in
place; whoever hands out a frozen instance compares its state afterwards.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from types import MemberDescriptorType, new_class
from typing import Final, NoReturn

from broker_actors.core.errors import ConfigurationError, OutOfTurnError

_HOW: Final = (
    "what interleaves or runs off the loop sees the last commit, frozen; write in an ordinary method, "
    "or, where it interleaves, inside `async with turn():`"
)


def frozen_class(cls: type[object]) -> type[object]:
    """Return the subclass of *cls* whose instances cannot be written.

    Raises:
        ConfigurationError: *cls* cannot be subclassed without arguments.

    """
    body: dict[str, object] = {
        "__slots__": (),
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__setattr__": _refuse_set,
        "__delattr__": _refuse_delete,
    }
    try:
        return new_class(cls.__name__, (cls,), exec_body=lambda names: names.update(body))
    except TypeError as error:
        text = (
            f"{cls.__name__} has interleaved methods, and the platform cannot subclass it for them: {error}"
        )
        raise ConfigurationError(text) from error


def freeze(instance: object, frozen: type[object]) -> None:
    """Make *instance* refuse writes."""
    object.__setattr__(instance, "__class__", frozen)


def thaw(instance: object, cls: type[object]) -> None:
    """Let *instance* be written again."""
    object.__setattr__(instance, "__class__", cls)


def move_durable(names: Iterable[str], source: object, target: object) -> None:
    """Give *target* the attributes *names* of *source*, and none that *source* does not have."""
    for name in names:
        if hasattr(source, name):
            setattr(target, name, getattr(source, name))
        elif hasattr(target, name):
            delattr(target, name)


def share_transient(durable: Container[str], source: object, target: object) -> None:
    """Give *target* all attributes of *source* but the *durable* ones: the same objects, not copies."""
    held: dict[str, object] = dict(getattr(source, "__dict__", {}))
    for cls in type(source).__mro__:
        for name, member in vars(cls).items():
            if isinstance(member, MemberDescriptorType) and hasattr(source, name):
                held[name] = getattr(source, name)
    for name, value in held.items():
        if name not in durable:
            object.__setattr__(target, name, value)


def changed_in_place(where: str) -> OutOfTurnError:
    """Return the error for state that was changed although no attribute was set."""
    text = f"{where} changed its state where it may only read, and what it changed is dropped: {_HOW}"
    return OutOfTurnError(text)


def _refuse_set(self: object, name: str, value: object) -> NoReturn:  # noqa: ARG001 - the shape of __setattr__
    raise _refusal(self, name)


def _refuse_delete(self: object, name: str) -> NoReturn:
    raise _refusal(self, name)


def _refusal(instance: object, name: str) -> OutOfTurnError:
    text = f"{type(instance).__name__}.{name} cannot be written here: {_HOW}"
    return OutOfTurnError(text)
