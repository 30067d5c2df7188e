"""The calls of this process that have not ended.

Invariant: a call is known here from before its first wait until it ends, so that closing
the client ends every one of them, wherever it waits, and can wait until all have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, ParamSpec, TypeVar

from broker_actors.core.errors import PlatformError

P = ParamSpec("P")
T = TypeVar("T")

CLOSED: Final = "the actor system was closed while this call was under way: it may still run, or have run"


class UnderWay:
    """The calls under way and the tasks that make them: to end a call is to cancel what its task awaits."""

    def __init__(self) -> None:
        #: By number: calls end in the order in which they began.
        self._tasks: dict[int, asyncio.Task[object]] = {}
        self._number = 0
        self._ended = asyncio.Event()
        #: Whether `end_all` was called.
        self.closed = False

    async def until_closed(
        self, call: Callable[P, Coroutine[None, None, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what *call* returns.

        Raises:
            PlatformError: the client was closed first.

        """
        self.check_open()
        task = asyncio.current_task()
        assert task is not None, "coroutines run in tasks"
        cancelled_before = task.cancelling()
        self._number = number = self._number + 1
        self._tasks[number] = task
        try:
            return await call(*args, **kwargs)
        except asyncio.CancelledError:
            # A caller that somebody else has cancelled, too, stays cancelled.
            if self.closed and task.cancelling() - 1 <= cancelled_before:
                raise PlatformError(CLOSED) from None
            raise
        finally:
            del self._tasks[number]
            if self.closed:
                # Ours was one of its cancellations, whatever became of it.
                task.uncancel()
                if not self._tasks:
                    self._ended.set()

    def check_open(self) -> None:
        """Raise `PlatformError` if the client was closed since the call began."""
        if self.closed:
            raise PlatformError(CLOSED)

    async def end_all(self) -> None:
        """End every call where it waits, and return when all have ended."""
        if not self.closed:
            self.closed = True
            for task in self._tasks.values():
                task.cancel()
        while self._tasks:
            self._ended.clear()
            await self._ended.wait()
