"""From the attributes a class has stored to those it has now: the `migrate` hook.

Invariant: nothing that was stored vanishes but by the hook's own doing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Final, cast

from broker_actors.core.errors import ConfigurationError, Plain, StateUndecodableError
from broker_actors.core.stored import Stored

NAME: Final = "migrate"

Values = Mapping[str, object]
Migrate = Callable[[dict[str, Plain], int], object]


def check(cls: type, version: int) -> None:
    """Refuse a `migrate` that could never be called.

    Raises:
        ConfigurationError: it is no classmethod (or staticmethod) of a state and a version, or the
            class has no version that anything could be migrated to.

    """
    hook = inspect.getattr_static(cls, NAME, None)
    if hook is None:
        return
    where = f"{cls.__name__}.{NAME}"
    if not isinstance(hook, classmethod | staticmethod) or not _takes_two(cls):
        text = (
            f"{where} is the platform's hook: define it as "
            f"`@classmethod def {NAME}(cls, state: dict[str, object], version: int) -> dict[str, object]`"
        )
        raise ConfigurationError(text)
    if version == 1:
        text = f"{where} would never be called: say @actor(state_version=2), what it migrates to"
        raise ConfigurationError(text)


def migrated(cls: type, stored: Stored, version: int) -> Values:
    """Return the attributes in *stored* as those of *version* of *cls*.

    Raises:
        StateUndecodableError: the hook raised, or returned something else than attributes by name.

    """
    hook = cast("Migrate | None", getattr(cls, NAME, None))
    if stored.version == version or hook is None:
        return stored.values
    name = f"{cls.__name__}.{NAME}"
    what = f"{name}, given the state of version {stored.version},"
    try:
        values = hook(dict(stored.values), stored.version)
    except Exception as error:
        text = f"{what} raised {type(error).__name__}: {error}: mend it and deploy again"
        raise StateUndecodableError(text) from error
    if not isinstance(values, Mapping):
        text = f"{what} returned a {type(values).__name__}: it must return the attributes by name"
        raise StateUndecodableError(text)
    return cast("Values", values)


def _takes_two(cls: type) -> bool:
    try:
        inspect.signature(cast("Migrate", getattr(cls, NAME))).bind({}, 1)
    except (TypeError, ValueError):
        return False
    return True
