"""Deliveries that are due within a second, or were already: held here, handed on in order of their time.

Invariant: while anything is held a task looks after it, and if that dies everything goes back to
the broker. Bounded by the prefetch of the mailboxes it comes from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, TypeAlias

from broker_actors.core.events import Trouble
from broker_actors.core.waiting import Waiting
from broker_actors.ports.clock import Clock
from broker_actors.ports.observer import Observer
from broker_actors.ports.transport import Delivery
from broker_actors.runtime.arrival import Subscription

#: Deliveries a relay holds at a time, of each of its mailboxes: so many it can put in order after an outage.
WINDOW: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """One delivery in the hands of a relay."""

    subscription: Subscription
    delivery: Delivery


#: Begins to pass on what goes now, and returns what does it, in the same order.
Begin: TypeAlias = Callable[[Sequence[Held]], Awaitable[Sequence[asyncio.Task[None]]]]


class Punctual:
    """Holds deliveries until they are due."""

    def __init__(self, clock: Clock, observer: Observer, begin: Begin) -> None:
        self._clock = clock
        self._observer = observer
        self._begin = begin
        self._waiting = Waiting[Held](WINDOW)
        self._under_way: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        #: There while anything is held.
        self._looking: asyncio.Task[None] | None = None

    def hold(self, held: Held, due_ms: int) -> None:
        """Hand *held* on at *due_ms*, Unix milliseconds, after what is due before it; never blocks."""
        left_seconds = (due_ms - self._clock.now_ms()) / 1000
        self._waiting.add(held, due_ms, left_seconds, self._clock.monotonic_seconds())
        self._changed.set()
        self._begin_looking()

    async def close(self) -> None:
        """Cancel what is held and what is under way: it is delivered again."""
        self._waiting.clear()
        tasks = [*self._under_way, *([] if self._looking is None else [self._looking])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin_looking(self) -> None:
        if self._looking is None and len(self._waiting):
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)

    async def _look(self) -> None:
        while len(self._waiting):
            self._changed.clear()
            now_seconds, under_way = self._clock.monotonic_seconds(), len(self._under_way)
            taken = self._waiting.take(now_seconds, under_way=under_way)
            if not taken:
                await self._pause(self._waiting.wait_seconds(now_seconds, under_way=under_way))
                continue
            await self._start([held for held in taken if not held.subscription.is_lost()])

    async def _start(self, batch: Sequence[Held]) -> None:
        """Begin to pass on *batch*, without what the broker has back and delivers again."""
        try:
            tasks = await self._begin(batch)
        except Exception:
            for held in batch:
                held.subscription.abandon()
            raise
        for task in tasks:
            self._under_way.add(task)
            task.add_done_callback(self._passed_on)

    async def _pause(self, seconds: float) -> None:
        """Return after *seconds*, or when something has changed."""
        changing = asyncio.ensure_future(self._changed.wait())
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds)) if isfinite(seconds) else None
        waits = [changing] if sleeping is None else [changing, sleeping]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _passed_on(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._changed.set()

    def _looked(self, looking: asyncio.Task[None]) -> None:
        self._looking = None
        if looking.cancelled() or (error := looking.exception()) is None:
            # Something may have come between its end and this.
            self._begin_looking()
            return
        self._observer.observe(Trouble("relay: what is due", f"gives everything back: {error!r}"))
        for held in self._waiting.clear():
            held.subscription.abandon()
