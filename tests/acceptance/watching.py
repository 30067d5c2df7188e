"""An observer that tests wait on instead of the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from broker_actors.core.events import Event

E = TypeVar("E")

#: A guard against hanging, not a measurement.
HANG_SECONDS = 30.0


class Watcher:
    """Keeps every event and wakes whoever waits for one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._wakers: set[asyncio.Event] = set()

    def observe(self, event: Event) -> None:
        """Keep *event*."""
        self.events.append(event)
        for waker in self._wakers:
            waker.set()

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of *kind* so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(
        self, kind: type[E], matches: Callable[[E], bool] = lambda _event: True, count: int = 1
    ) -> list[E]:
        """Return the first *count* events of *kind* that match, past or to come."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            async with asyncio.timeout(HANG_SECONDS):
                while len(found := [event for event in self.of(kind) if matches(event)]) < count:
                    waker.clear()
                    await waker.wait()
                return found[:count]
        finally:
            self._wakers.discard(waker)
