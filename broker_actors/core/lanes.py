"""Which waiting envelope may run next.

One lane per actor, first in first out, at most one item of a lane running; lanes take
turns, so that one actor's backlog cannot starve its neighbours; a bound on how many run
at once. Data in, data out: the runtime runs what this allows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from broker_actors.core.address import Address

T = TypeVar("T")

RUNNING_MAX: Final = 256


class Lanes(Generic[T]):
    """The lanes of one worker.

    Invariant: an address is in `_ready` exactly when its lane has items and none of them runs.
    """

    def __init__(self, running_max: int = RUNNING_MAX) -> None:
        self._waiting: dict[Address, deque[T]] = {}
        self._ready: deque[Address] = deque()
        self._running: set[Address] = set()
        self._running_max = running_max
        self._exempt = 0

    def arrive(self, address: Address, item: T) -> None:
        """Put *item* at the end of the lane of *address*."""
        waiting = self._waiting.get(address)
        if waiting is not None:
            waiting.append(item)
            return
        self._waiting[address] = deque((item,))
        if address not in self._running:
            self._ready.append(address)

    def next(self) -> tuple[Address, T] | None:
        """Return the next item to run, now running; None if none may."""
        if not self._ready or len(self._running) - self._exempt >= self._running_max:
            return None
        address = self._ready.popleft()
        waiting = self._waiting[address]
        item = waiting.popleft()
        if not waiting:
            del self._waiting[address]
        self._running.add(address)
        return address, item

    def done(self, address: Address) -> None:
        """Take note that the running item of *address* ended."""
        self._running.remove(address)
        if address in self._waiting:
            self._ready.append(address)

    def exempt(self, change: int) -> None:
        """Count *change* more (or fewer) running items as merely waiting for somebody else's answer."""
        self._exempt += change

    def drop(self, address: Address) -> list[T]:
        """Remove and return what waits in the lane of *address*, in order."""
        waiting = self._waiting.pop(address, None)
        if waiting is None:
            return []
        if address not in self._running:
            self._ready.remove(address)
        return list(waiting)

    def is_idle(self, address: Address) -> bool:
        """Return whether nothing of *address* runs or waits."""
        return address not in self._running and address not in self._waiting

    def items(self) -> Iterator[T]:
        """Yield what waits, lane by lane."""
        for waiting in self._waiting.values():
            yield from waiting

    def depths(self) -> dict[Address, int]:
        """Return how many items wait in each lane that has any."""
        return {address: len(items) for address, items in self._waiting.items()}

    @property
    def running(self) -> int:
        """How many items run, the exempt ones included."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return sum(map(len, self._waiting.values()))
