"""Virtual time: a clock that a test sets forward, and what happens meanwhile.

Invariants: time never goes back, and while it is set forward nothing is skipped: it stops at every
moment for which somebody waits, until what was due then has been done. What every worker does every
few seconds does not count; it is done once for each stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from typing import Final

from broker_actors.actor.scheduled import moment_ms
from broker_actors.adapters.clock import SystemClock
from broker_actors.core.verdict import WAIT_HERE_SECONDS_MAX
from broker_actors.testing.outstanding import NotSettledError
from broker_actors.worker.worker import ROUTINE

#: Stops of one journey: an actor that always plans something for the next second would have no end.
STOPS_MAX: Final = 100_000
#: How long one stop may take: a guard against hanging.
PATIENCE_SECONDS: Final = 10.0
#: Loop passes within which who was woken starts whoever is to sleep in turn.
PASSES: Final = 5
#: How often it is looked whether turns that run have ended.
LOOK_SECONDS: Final = 0.001


class VirtualClock(SystemClock):
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
        #: Where it stands still; None while it goes on.
        self._stands_seconds: float | None = None
        self._begun_seconds = super().monotonic_seconds()
        self._begun_ms = super().now_ms() if start is None else moment_ms(start)
        self._moved = asyncio.Event()
        #: Until when who sleeps wants to, on the monotonic clock; routine is not in it.
        self._sleepers: dict[int, float] = {}
        self._names = count()

    def now_ms(self) -> int:
        """Return the wall clock in Unix milliseconds."""
        return self._begun_ms + round((self.monotonic_seconds() - self._begun_seconds) * 1000)

    def monotonic_seconds(self) -> float:
        """Return seconds that never go back."""
        if self._stands_seconds is not None:
            return self._stands_seconds
        return super().monotonic_seconds() + self._ahead_seconds

    @contextmanager
    def standing(self) -> Generator[None]:
        """Let it stand still meanwhile, but for `jump_to`: what is due at a moment happens at it."""
        self._stands_seconds = self.monotonic_seconds()
        try:
            yield
        finally:
            self._ahead_seconds = self._stands_seconds - super().monotonic_seconds()
            self._stands_seconds = None

    def chance(self) -> float:
        """Return 0: retries do not wait; see `PromptClock`."""
        return 0.0

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
        ahead_seconds = max(0.0, moment_seconds - self.monotonic_seconds())
        if self._stands_seconds is None:
            self._ahead_seconds += ahead_seconds
        else:
            self._stands_seconds += ahead_seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


async def travel(clock: VirtualClock, seconds: float, at_rest: Callable[[], Awaitable[bool]]) -> None:
    """Set *clock* forward by *seconds*, and stop wherever somebody waits until *at_rest* says so.

    Raises:
        NotSettledError: something plans more for ever.

    """
    with clock.standing():
        end_seconds = clock.monotonic_seconds() + seconds
        for _ in range(STOPS_MAX):
            await _quiet(clock, at_rest, end_seconds)
            stop_seconds = clock.next_seconds
            if stop_seconds is None or stop_seconds > end_seconds:
                clock.jump_to(end_seconds)
                await _quiet(clock, at_rest, end_seconds)
                return
            clock.jump_to(stop_seconds)
    raise NotSettledError(f"more than {STOPS_MAX:,} things were due: set the clock forward in smaller steps")


async def _goes_on(clock: VirtualClock) -> bool:
    """Return whether somebody begins or ceases to wait by what was due."""
    before_seconds = clock.next_seconds
    for _ in range(PASSES):
        await asyncio.sleep(0)
    return clock.wakes or clock.next_seconds != before_seconds


async def _quiet(clock: VirtualClock, at_rest: Callable[[], Awaitable[bool]], end_seconds: float) -> None:
    """Return when nobody has overslept and nothing runs."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while clock.wakes or not await at_rest() or await _goes_on(clock):
                # A turn may itself wait, in its lane, which is never for long.
                latest_seconds = min(end_seconds, clock.monotonic_seconds() + WAIT_HERE_SECONDS_MAX)
                if not clock.wakes and (clock.next_seconds or latest_seconds + 1) <= latest_seconds:
                    clock.jump_to(clock.next_seconds or 0)
                await asyncio.sleep(0 if clock.wakes else LOOK_SECONDS)
            return
    text = f"a turn runs for more than {PATIENCE_SECONDS:g} s, or a message leads to others for ever"
    raise NotSettledError(text)
