"""What became of each of many: a value, an error, or no answer in time.

Invariant: there is one outcome for each item, in the order of the items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from broker_actors.core.errors import SystemFaultError
from broker_actors.core.supervision import CUT_OFF

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ok(Generic[R_co]):
    """It gave a value."""

    value: R_co


@dataclass(frozen=True, slots=True)
class Failed:
    """It raised an error."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It did not end in time; it may still run, or have run.

    Attributes:
        error: what was raised, or why it was not begun or not waited for any longer.

    """

    error: Exception


Outcome: TypeAlias = Ok[R_co] | Failed | TimedOut


@dataclass(frozen=True, slots=True)
class Outcomes(Generic[T_co, R_co]):
    """An outcome for each item, in order.

    Attributes:
        items: what was called, or what a function was called with.
        outcomes: what became of each.

    """

    items: tuple[T_co, ...]
    outcomes: tuple[Outcome[R_co], ...]

    @property
    def ok(self) -> list[tuple[T_co, R_co]]:
        """The items that gave a value, with it."""
        return [(item, one.value) for item, one in self if isinstance(one, Ok)]

    @property
    def errors(self) -> list[tuple[T_co, BaseException]]:
        """The items that failed, with what they raised."""
        return [(item, one.error) for item, one in self if isinstance(one, Failed)]

    @property
    def timeouts(self) -> list[T_co]:
        """The items that did not end in time."""
        return [item for item, one in self if isinstance(one, TimedOut)]

    def values(self) -> list[R_co]:
        """Return the value of every item, in order.

        Raises:
            BaseExceptionGroup: some have none; it holds the error of each of those, in order. An
                `ExceptionGroup`, unless one was cancelled from elsewhere.

        """
        bad = [one.error for one in self.outcomes if not isinstance(one, Ok)]
        if bad:
            raise BaseExceptionGroup(f"{len(bad)} of {len(self.outcomes)} gave no value", bad)
        return [one.value for one in self.outcomes if isinstance(one, Ok)]

    def __iter__(self) -> Iterator[tuple[T_co, Outcome[R_co]]]:
        """Iterate over items and their outcomes."""
        return iter(zip(self.items, self.outcomes, strict=True))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.outcomes)


async def outcome_of(act: Callable[[T], Awaitable[R]], item: T) -> Outcome[R]:
    """Return what became of `act(item)`; raises `CancelledError` if this task was cancelled."""
    try:
        return Ok(await act(item))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's own
        return TimedOut(error) if _is_late(error) else Failed(error)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # What it waited for was cancelled by somebody else.
        return Failed(error)


def _is_late(error: Exception) -> bool:
    # At its deadline an ask may hear of its end from the actor before its own clock says so.
    return isinstance(error, TimeoutError) or (
        isinstance(error, SystemFaultError) and error.remote_type == CUT_OFF
    )
