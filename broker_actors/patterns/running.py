"""Running something for each of many items, so many at a time and until a deadline.

Invariant: when it returns or raises, nothing that it began runs any longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from broker_actors.core.checks import is_whole
from broker_actors.core.errors import ConfigurationError
from broker_actors.patterns.outcomes import Outcome, Outcomes, TimedOut, outcome_of

T = TypeVar("T")
R = TypeVar("R")

#: How many run at once where nothing else is said.
CONCURRENCY: Final = 1_000
#: More would be a mistake: each that runs has a task of its own.
CONCURRENCY_MAX: Final = 100_000


def check_concurrency(concurrency: int | None) -> int:
    """Return how many may run at once.

    Raises:
        ConfigurationError: it is out of bounds.

    """
    if concurrency is None:
        return CONCURRENCY
    if not is_whole(concurrency):
        raise ConfigurationError(f"concurrency={concurrency!r} must be a whole number")
    if not 1 <= concurrency <= CONCURRENCY_MAX:
        raise ConfigurationError(f"concurrency={concurrency}: 1 to {CONCURRENCY_MAX:,} may run at once")
    return concurrency


async def run_all(
    act: Callable[[T], Awaitable[R]],
    items: Sequence[T],
    *,
    concurrency: int,
    overall_seconds: float | None,
) -> Outcomes[T, R]:
    """Return what became of `act(item)` for each of *items*.

    They begin in order; the first *concurrency* of them before any is waited for. What has not ended
    after *overall_seconds* is cancelled, or not begun, and has timed out.
    """
    why = TimeoutError(f"not within the {overall_seconds or 0:g} s for all of them")
    found: list[Outcome[R]] = [TimedOut(why)] * len(items)
    left = iter(enumerate(items))

    async def run() -> None:
        for n, item in left:
            found[n] = await outcome_of(act, item)

    runners = [asyncio.create_task(run()) for _ in range(min(concurrency, len(items)))]
    try:
        if runners:
            # An exception of a runner is no outcome of one item, but ends the program: `SystemExit`.
            await asyncio.wait(runners, timeout=overall_seconds, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for runner in runners:
            runner.cancel()
        # Not before they are gone: nobody would own them.
        ends = await asyncio.gather(*runners, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
            raise end
    return Outcomes(tuple(items), tuple(found))
