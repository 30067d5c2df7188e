"""The options by which a command of `dead` is told which letters it means, spelled out once.

Invariant: a command of `dead` that means letters has every one of them, and gets a `Selection`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Final

from broker_actors.cli.choosing import ByActor, ByError, ByMethod, ByReason, OlderThan
from broker_actors.core.letters import Selection

#: The parameter of a command in whose place they come.
_CHOSEN: Final = "chosen"


def selection(
    *,
    reason: ByReason = None,
    error: ByError = "",
    actor: ByActor = "",
    method: ByMethod = "",
    older_than: OlderThan = None,
) -> Selection:
    """Return which letters a command line means."""
    return Selection(frozenset(), reason or "", error, actor, method, older_than or 0.0)


_OPTIONS: Final = inspect.signature(selection, eval_str=True).parameters


def selects(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the options of `selection`, and what they say as its argument `chosen`."""

    @functools.wraps(command)
    def run(**values: object) -> None:
        chosen = selection(**{name: values.pop(name) for name in _OPTIONS})  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the command line has checked them
        command(**values, **{_CHOSEN: chosen})

    # What the command line is made of.
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        parameters += _OPTIONS.values() if name == _CHOSEN else [parameter]
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run
