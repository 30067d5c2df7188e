"""How long callers wait for their answers: as long as each other, so that one timer is enough for all.

Invariants: whoever has waited for its time is told so; what was answered is not kept longer than what
was asked before it and was not.
"""

from __future__ import annotations

import asyncio
from collections import deque

from broker_actors.adapters.redis.queue import Waiting


class Deadlines:
    """Ends the waiting of those that have waited for *seconds*."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        #: Who waits, and until when on the loop's clock: first come, first due.
        self._waiting: deque[tuple[float, Waiting]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, one: Waiting) -> None:
        """Let *one* wait no longer than the others."""
        self._forget_answered()
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + self._seconds, one))
        if self._timer is None:
            self._timer = loop.call_at(self._waiting[0][0], self._ring)

    def close(self) -> None:
        """Tell nobody any more. Idempotent."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        self._forget_answered()
        while self._waiting and self._waiting[0][0] <= loop.time():
            _, late = self._waiting.popleft()
            late.expire()
            self._forget_answered()
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self._ring)

    def _forget_answered(self) -> None:
        waiting = self._waiting
        while waiting and waiting[0][1].answer.done():
            waiting.popleft()
