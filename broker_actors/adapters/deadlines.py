"""How long callers of a server wait: as long as each other, so that one timer is enough for all.

Invariants: whoever has waited for its time is told so; what was answered is not kept longer than what
was asked before it and was not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class Answer(Protocol):
    """What somebody waits for: a future, of whatever."""

    def done(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def set_exception(self, exception: BaseException, /) -> None:
        """Let whoever waits go on with *exception*."""
        ...


class Deadlines:
    """Ends with `TimeoutError` the waiting for answers that are not there within *seconds*."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        #: What is waited for, and until when on the loop's clock: first come, first due.
        self._waiting: deque[tuple[float, Answer]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, answer: Answer) -> None:
        """Let *answer* be waited for no longer than the others."""
        waiting = self._waiting
        self._forget_answered()
        loop = asyncio.get_running_loop()
        waiting.append((loop.time() + self._seconds, answer))
        if self._timer is None:
            self._timer = loop.call_at(waiting[0][0], self._ring)

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
            late.set_exception(TimeoutError())
            self._forget_answered()
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self._ring)

    def _forget_answered(self) -> None:
        waiting = self._waiting
        while waiting and waiting[0][1].done():
            waiting.popleft()
