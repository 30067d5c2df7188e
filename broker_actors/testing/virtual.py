"""Virtual time: a clock that a test sets forward, and what happens meanwhile.

Invariants: time never goes back, and while it is set forward nothing is skipped: it stops at every
moment for which somebody waits, until what was due then has been done. What every worker does every
few seconds does not count; it is done once for each stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Final

from broker_actors.actor.scheduled import moment_ms
from broker_actors.testing.clock import PromptClock
from broker_actors.testing.outstanding import NotSettledError
from broker_actors.worker.worker import ROUTINE

#: Stops of one journey: an actor that always plans something for the next second would have no end.
STOPS_MAX: Final = 100_000
#: How long one stop may take: a guard against hanging.
PATIENCE_SECONDS: Final = 10.0
#: How often it is looked whether turns that run have ended.
LOOK_SECONDS: Final = 0.001


class VirtualClock(PromptClock):
    """Implements `ports.clock.Clock`: the machine's time, ahead by what a test has added to it.

    Between those steps it goes on by itself, so that short waits end.
    """

    def __init__(self, start: datetime | None = None) -> None:
        """Make a clock.

        Args:
            start: what time it is at first; the machine's by default.

        Raises:
            ConfigurationError: *start* has no time zone.

        """
        super().__init__()
        self._ahead_seconds = 0.0
        self._offset_ms = 0 if start is None else moment_ms(start) - super().now_ms()
        self._moved = asyncio.Event()
        #: Until when who sleeps wants to, on the monotonic clock; routine is not in it.
        self._sleepers: dict[int, float] = {}
        self._names = count()

    def now_ms(self) -> int:
        """Return the wall clock in Unix milliseconds."""
        return super().now_ms() + self._offset_ms + round(self._ahead_seconds * 1000)

    def monotonic_seconds(self) -> float:
        """Return seconds that never go back."""
        return super().monotonic_seconds() + self._ahead_seconds

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*, or as soon as the clock was set forward so far."""
        if seconds <= 0:
            await super().sleep(0)
            return
        until_seconds, name = self.monotonic_seconds() + seconds, next(self._names)
        task = asyncio.current_task()
        if task is None or task.get_name() != ROUTINE:
            self._sleepers[name] = until_seconds
        try:
            while (left_seconds := until_seconds - self.monotonic_seconds()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(left_seconds):
                        await self._moved.wait()
        finally:
            self._sleepers.pop(name, None)

    @property
    def next_seconds(self) -> float | None:
        """The first moment for which somebody waits, on the monotonic clock; None if nobody does."""
        return min(self._sleepers.values(), default=None)

    @property
    def wakes(self) -> bool:
        """Whether the time has come for somebody who has not noticed yet."""
        next_seconds = self.next_seconds
        return next_seconds is not None and next_seconds <= self.monotonic_seconds()

    def jump_to(self, moment_seconds: float) -> None:
        """Set the clock forward to a moment of the monotonic clock; nothing if that is over."""
        self._ahead_seconds += max(0.0, moment_seconds - self.monotonic_seconds())
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


async def travel(clock: VirtualClock, seconds: float, at_rest: Callable[[], Awaitable[bool]]) -> None:
    """Set *clock* forward by *seconds*, and stop wherever somebody waits until *at_rest* says so.

    Raises:
        NotSettledError: something plans more for ever.

    """
    end_seconds = clock.monotonic_seconds() + seconds
    for _ in range(STOPS_MAX):
        await _quiet(clock, at_rest)
        stop_seconds = clock.next_seconds
        if stop_seconds is None or stop_seconds > end_seconds:
            break
        clock.jump_to(stop_seconds)
    else:
        text = f"more than {STOPS_MAX:,} things were due: set the clock forward in smaller steps"
        raise NotSettledError(text)
    clock.jump_to(end_seconds)
    await _quiet(clock, at_rest)


async def _quiet(clock: VirtualClock, at_rest: Callable[[], Awaitable[bool]]) -> None:
    """Return when nobody has overslept and nothing runs."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while clock.wakes or not await at_rest():  # noqa: ASYNC110 - the end of a turn tells nobody
                await asyncio.sleep(LOOK_SECONDS if not clock.wakes else 0)
            return
    text = f"a turn runs for more than {PATIENCE_SECONDS:g} s, or a message leads to others for ever"
    raise NotSettledError(text)
