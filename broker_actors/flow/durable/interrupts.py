"""Stopping what runs in this process: a node's functions, when the flow is cancelled meanwhile.

One is an actor's own, shared by its turns: the turn that runs a node and the interleaved one that cancels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from broker_actors.flow.durable.run import Status

T = TypeVar("T")


class InterruptedRunError(Exception):
    """What ran was told to stop."""


class Interrupts:
    """At most one coroutine that runs, and can be told to stop; none begins after that."""

    def __init__(self) -> None:
        self._running: asyncio.Task[Any] | None = None
        self._told = False
        #: Why it was last told to stop, and what is to come of it.
        self.outcome = Status.CANCELLED
        self.reason = ""

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of *work*.

        Raises:
            InterruptedRunError: it was stopped, perhaps before it began.
            Exception: whatever it raises.

        """
        if self._was_told():
            work.close()
            raise InterruptedRunError
        task = asyncio.create_task(work)
        self._running = task
        try:
            return await task
        except asyncio.CancelledError:
            # Whoever cancels this turn cancels the work with it, and means both.
            if self._was_told() and task.cancelled() and not _is_cancelled():
                raise InterruptedRunError from None
            raise
        finally:
            self._running = None

    def stop(self, outcome: Status, reason: str) -> None:
        """Stop what runs, which may take its time; and what would run next.

        The message that stops may be read between the messages of two steps.
        """
        self.outcome, self.reason = outcome, reason
        self._told = True
        if self._running is not None:
            self._running.cancel()

    def _was_told(self) -> bool:
        return self._told


def _is_cancelled() -> bool:
    this = asyncio.current_task()
    return this is not None and this.cancelling() > 0
