"""How a flow gets on: without an event loop, or on one.

All of a flow is written once, as coroutines. `OnLoop` lets them wait; under `Inline` nothing in them
ever does, so that `finish` can run them to their end where no loop is, or one that must not be used.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, ClassVar, Final, Protocol, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")

#: How many parallel items run at once where nothing else is said.
CONCURRENCY_MAX: Final = 1_000


class Pace(Protocol):
    """How a run waits."""

    #: Whether async functions can run.
    waits: ClassVar[bool]

    async def value(self, made: Any) -> Any:  # noqa: ANN401 - whatever a user's function returned
        """Return what a plain or async function gives.

        Raises:
            RuntimeError: it is async, and nothing can wait.

        """
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts."""
        ...

    async def each(
        self, function: Callable[[T], Awaitable[R]], items: Iterable[T], concurrency: int | None
    ) -> list[R]:
        """Return the results of *function* in the order of *items*, run beside each other if possible.

        The first error ends the others, and is raised when they have ended.
        """
        ...


class Inline:
    """Runs plain functions, one after the other, in the thread that called."""

    waits: ClassVar[bool] = False

    async def value(self, made: Any) -> Any:  # noqa: ANN401 - see `Pace`
        """Return *made*; see `Pace`."""
        if inspect.isawaitable(made):
            if inspect.iscoroutine(made):
                made.close()  # or it would warn that nobody has awaited it
            raise RuntimeError("Use run_async.")
        return made

    async def sleep(self, seconds: float) -> None:
        """Block the thread: whoever calls `run` wants that."""
        time.sleep(seconds)  # noqa: ASYNC251, TID251 - there is no loop here that it could block

    async def each(
        self,
        function: Callable[[T], Awaitable[R]],
        items: Iterable[T],
        concurrency: int | None,  # noqa: ARG002 - one at a time is within any limit
    ) -> list[R]:
        """Return the results, made one after the other; see `Pace`."""
        return [await function(item) for item in items]


class OnLoop:
    """Runs on the event loop, and lets it serve others meanwhile."""

    waits: ClassVar[bool] = True

    async def value(self, made: Any) -> Any:  # noqa: ANN401 - see `Pace`
        """Return *made*, awaited if it can be; see `Pace`."""
        return await made if inspect.isawaitable(made) else made

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def each(
        self, function: Callable[[T], Awaitable[R]], items: Iterable[T], concurrency: int | None
    ) -> list[R]:
        """Return the results, made by so many runners as may run at once; see `Pace`."""
        waiting = list(enumerate(items))
        results: dict[int, R] = {}
        runners = min(len(waiting), concurrency or CONCURRENCY_MAX)
        waiting.reverse()

        async def run() -> None:
            while waiting:
                index, item = waiting.pop()
                results[index] = await function(item)

        tasks = [asyncio.create_task(run()) for _ in range(runners)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            # Not before the others are gone: nobody would own them.
            await asyncio.gather(*tasks, return_exceptions=True)
        return [results[index] for index in range(len(results))]


def finish(running: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits to its end and return its result.

    Raises:
        RuntimeError: it waits.

    """
    try:
        running.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    running.close()
    raise RuntimeError("Use run_async.")
