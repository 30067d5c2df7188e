"""What a relay holds until it is due, and in which order it goes.

Invariants: what goes is the first due of all that is held, and never before its time. What comes
late comes with others, after an outage: it is held for a moment, until no more of that come or there
is no room for more, so that they go in order.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count
from math import inf
from typing import Final, Generic, TypeVar

#: What comes this much after its time is late. Nearly everything comes before its time.
LATE_SECONDS: Final = 0.1
#: No more come when none has come for this long: the broker passes on what expired in many small portions.
QUIET_SECONDS: Final = 0.1
#: What is late waits no longer than this for what was due before it.
PATIENCE_SECONDS: Final = 0.5
#: Under way at a time: enough to keep broker and store busy, few enough that the others are put in order.
UNDER_WAY_MAX: Final = 100

Item = TypeVar("Item")


class Waiting(Generic[Item]):
    """Items by when they are due. All times but that one are of a clock that never goes back."""

    def __init__(self, window: int) -> None:
        """Hold up to *window* items, those under way included: no more come beyond that."""
        self._window = window
        self._heap: list[tuple[int, int, float, bool, Item]] = []
        self._numbers = count()
        #: When the last of those that are late came.
        self._newest_late_seconds = -inf

    def __len__(self) -> int:
        """How many are held."""
        return len(self._heap)

    def add(self, item: Item, due_ms: int, left_seconds: float, now_seconds: float) -> None:
        """Hold *item*.

        Args:
            item: what is held.
            due_ms: when it is due, Unix milliseconds: what it is ordered by.
            left_seconds: until then; negative if that is over.
            now_seconds: on the monotonic clock.

        """
        is_late = left_seconds < -LATE_SECONDS
        goes_seconds = now_seconds + (PATIENCE_SECONDS if is_late else left_seconds)
        heapq.heappush(self._heap, (due_ms, next(self._numbers), goes_seconds, is_late, item))
        if is_late:
            self._newest_late_seconds = now_seconds

    def take(self, now_seconds: float, *, under_way: int) -> Sequence[Item]:
        """Return what goes now, in order, and hold it no more."""
        taken: list[Item] = []
        while under_way + len(taken) < UNDER_WAY_MAX:
            if self._goes_seconds(under_way + len(taken)) > now_seconds:
                break
            taken.append(heapq.heappop(self._heap)[-1])
        return taken

    def clear(self) -> Sequence[Item]:
        """Return all that is held, and hold it no more."""
        heap, self._heap = self._heap, []
        return [entry[-1] for entry in heap]

    def wait_seconds(self, now_seconds: float, *, under_way: int) -> float:
        """Return how long nothing goes, if nothing else happens; infinite if nothing would."""
        if under_way >= UNDER_WAY_MAX:
            return inf
        return max(0.0, self._goes_seconds(under_way) - now_seconds)

    def _goes_seconds(self, under_way: int) -> float:
        """Return when the first one goes."""
        if not self._heap:
            return inf
        _, _, goes_seconds, is_late, _ = self._heap[0]
        if not is_late:
            return goes_seconds
        if len(self._heap) + under_way >= self._window:
            return -inf
        return min(goes_seconds, self._newest_late_seconds + QUIET_SECONDS)
