"""Batches: a function for each of many items, so many at a time, an outcome of each.

Invariant: an attempt is inside the limiter while it runs, and not while it waits for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeAlias, TypeVar

from broker_actors.actor.durations import Duration, seconds
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.retry import Retry
from broker_actors.patterns.outcomes import Outcomes
from broker_actors.patterns.retrying import Retrying
from broker_actors.patterns.running import CONCURRENCY, check_concurrency, run_all

T = TypeVar("T")
R = TypeVar("R")

#: Whatever lets in so many at a time: a `Limiter`, an `asyncio.Semaphore`, or a user's own.
AnyLimiter: TypeAlias = AbstractAsyncContextManager[object, bool | None]


async def each(
    function: Callable[[T], Awaitable[R]],
    items: Iterable[T],
    *,
    concurrency: int | AnyLimiter | None = None,
    timeout: Duration | None = None,  # noqa: ASYNC109 - of each attempt, not of the call
    overall: Duration | None = None,
    retry: Retry | Retrying | None = None,
) -> Outcomes[T, R]:
    """Return what becomes of `function(item)` for each of *items*, in their order.

    Args:
        function: an async function, or a method of a ref.
        items: they begin in order.
        concurrency: how many run at a time, 1 for one after the other, 1,000 by default; or an async
            context manager that each attempt enters, such as a limiter that other processes share.
        timeout: how long one attempt may take, once it is let in.
        overall: how long all of them may take. What has not ended by then has timed out.
        retry: how what fails is tried again; by default it is not.

    Raises:
        ConfigurationError: a duration or the concurrency is out of bounds.

    """
    limiter: AnyLimiter = nullcontext()
    at_once = CONCURRENCY
    if concurrency is None or isinstance(concurrency, int):
        at_once = check_concurrency(concurrency)
    elif not hasattr(concurrency, "__aenter__"):
        text = f"concurrency={concurrency!r} must be a whole number or an async context manager"
        raise ConfigurationError(text)
    else:
        limiter = concurrency
    timeout_seconds = None if timeout is None else seconds(timeout, "timeout")
    again = Retrying(retry) if isinstance(retry, Retry) else retry
    if not hasattr(again, "call") and again is not None:
        raise ConfigurationError(f"retry={again!r} must be a Retry(...) or a Retrying(...)")

    async def attempt(item: T) -> R:
        async with limiter, asyncio.timeout(timeout_seconds):
            return await function(item)

    async def act(item: T) -> R:
        return await (attempt(item) if again is None else again.call(attempt, item))

    return await run_all(
        act,
        tuple(items),
        concurrency=at_once,
        overall_seconds=None if overall is None else seconds(overall, "overall"),
    )
