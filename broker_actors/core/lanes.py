"""Which waiting envelope may run next.

One lane per actor, first in first out, at most one item of a lane running; beside it the
items that interleave, which wait for nobody but a copy of themselves. Lanes take turns, so
that one actor's backlog cannot starve its neighbours; a bound on how many run at once.
Data in, data out: the runtime runs what this allows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Generic, TypeVar

from broker_actors.core.address import Address
from broker_actors.core.light import dataclass

T = TypeVar("T")

RUNNING_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Admitted(Generic[T]):
    """An item that may run.

    Attributes:
        address: the actor.
        item: what runs.
        beside: what tells an interleaved item from all others of the actor; empty for one of the lane.

    """

    address: Address
    item: T
    beside: str = ""


class _Lane(Generic[T]):
    """What waits and runs of one actor, but for what interleaves."""

    __slots__ = ("address", "is_held", "is_running", "waiting")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.waiting: deque[T] = deque()
        self.is_running = False
        #: Nothing of it begins for now.
        self.is_held = False

    @property
    def is_free(self) -> bool:
        """Whether what waits in it may begin."""
        return not (self.is_running or self.is_held)


class Lanes(Generic[T]):
    """The lanes of one worker.

    Invariants: `_ready` has a lane exactly when it has items, none of them runs and it is not held, and an
    address exactly when interleaved items of it wait; each of them once. There is a lane exactly while
    something waits or runs in it, or it is held.
    """

    def __init__(self, running_max: int = RUNNING_MAX) -> None:
        self._lanes: dict[Address, _Lane[T]] = {}
        self._beside: dict[Address, deque[tuple[str, T]]] = {}
        self._ready: deque[_Lane[T] | Address] = deque()
        #: Lanes of which something runs.
        self._in_lane_count = 0
        #: The interleaved items that run, each with the copies that wait for its end.
        self._abreast: dict[Address, dict[str, list[T]]] = {}
        self._abreast_count = 0
        self._running_max = running_max
        self._exempt = 0

    def arrive(self, address: Address, item: T, *, beside: str = "") -> None:
        """Put *item* at the end of the lane of *address*, or beside it.

        Args:
            address: the actor.
            item: what is to run.
            beside: for an item that interleaves, what tells it from all others of the actor but its copies.

        """
        if beside:
            self._arrive_beside(address, item, beside)
            return
        lane = self._lane(address)
        lane.waiting.append(item)
        if len(lane.waiting) == 1 and lane.is_free:
            self._ready.append(lane)

    def next(self) -> Admitted[T] | None:
        """Return the next item to run, now running; None if none may."""
        while self._ready and self.running - self._exempt < self._running_max:
            first = self._ready.popleft()
            if isinstance(first, _Lane):
                first.is_running = True
                self._in_lane_count += 1
                return Admitted(first.address, first.waiting.popleft())
            if (admitted := self._next_beside(first)) is not None:
                return admitted
        return None

    def done(self, admitted: Admitted[T]) -> None:
        """Take note that *admitted* ended."""
        address = admitted.address
        if admitted.beside:
            abreast = self._abreast[address]
            copies = abreast.pop(admitted.beside)
            if not abreast:
                del self._abreast[address]
            self._abreast_count -= 1
            for copy in copies:
                self._arrive_beside(address, copy, admitted.beside)
            return
        lane = self._lanes[address]
        lane.is_running = False
        self._in_lane_count -= 1
        self._go_on(lane)

    def exempt(self, change: int) -> None:
        """Count *change* more (or fewer) running items as merely waiting for somebody else's answer."""
        self._exempt += change

    def drop(self, address: Address) -> list[T]:
        """Remove and return what waits of *address*: its lane in order, then what interleaves."""
        dropped = list(self.waiting_of(address))
        if dropped:
            self._empty(self._lanes[address])
        beside = self._beside.pop(address, None)
        if beside is not None:
            self._ready.remove(address)
            dropped += (item for _, item in beside)
        for copies in self._abreast.get(address, {}).values():
            dropped += copies
            copies.clear()
        return dropped

    def hold(self, address: Address) -> None:
        """Let nothing of the lane of *address* begin until it is released. Idempotent."""
        lane = self._lane(address)
        if lane.is_free and lane.waiting:
            self._ready.remove(lane)
        lane.is_held = True

    def release(self, address: Address) -> None:
        """Let the lane of *address* begin again. Idempotent."""
        lane = self._lanes.get(address)
        if lane is not None and lane.is_held:
            lane.is_held = False
            self._go_on(lane)

    def waiting_of(self, address: Address) -> Iterator[T]:
        """Yield what waits in the lane of *address*, in order; what interleaves is not in it."""
        if (lane := self._lanes.get(address)) is not None:
            yield from lane.waiting

    def remove(self, address: Address, items: Collection[T]) -> None:
        """Remove *items* from the lane of *address*, as far as they are in it."""
        lane = self._lanes.get(address)
        if lane is None or not (lane.waiting and items):
            return
        left = deque(item for item in lane.waiting if item not in items)
        if left:
            lane.waiting = left
        else:
            self._empty(lane)

    def put_back(self, address: Address, item: T) -> None:
        """Put *item* at the front of the lane of *address*."""
        lane = self._lane(address)
        lane.waiting.appendleft(item)
        if len(lane.waiting) == 1 and lane.is_free:
            self._ready.append(lane)

    @property
    def longest(self) -> int:
        """How many items wait in the longest lane."""
        return max((len(lane.waiting) for lane in self._lanes.values()), default=0)

    def each(self) -> Iterator[tuple[Address, Iterable[T]]]:
        """Yield each lane in which something waits: whose, and what, in order."""
        for address, lane in self._lanes.items():
            if lane.waiting:
                yield address, lane.waiting

    def is_idle(self, address: Address) -> bool:
        """Return whether nothing of *address* runs or waits."""
        lane = self._lanes.get(address)
        is_used = lane is not None and (lane.is_running or lane.waiting)
        return not (is_used or address in self._abreast or address in self._beside)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing runs and nothing is ready to."""
        return not (self._ready or self.running)

    def queues(self) -> Iterator[Collection[T]]:
        """Yield what waits, in order: of each lane, and of each actor's that interleaves."""
        for lane in self._lanes.values():
            yield lane.waiting
        for beside in self._beside.values():
            yield [item for _, item in beside]
        for abreast in self._abreast.values():
            yield from abreast.values()

    def depths(self) -> dict[Address, int]:
        """Return how many items of each actor wait, of those that have any."""
        depths = {address: len(lane.waiting) for address, lane in self._lanes.items() if lane.waiting}
        for address, beside in self._beside.items():
            depths[address] = depths.get(address, 0) + len(beside)
        for address, abreast in self._abreast.items():
            if copies := sum(map(len, abreast.values())):
                depths[address] = depths.get(address, 0) + copies
        return depths

    @property
    def running(self) -> int:
        """How many items run, the exempt ones included."""
        return self._in_lane_count + self._abreast_count

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return sum(self.depths().values())

    def _lane(self, address: Address) -> _Lane[T]:
        lane = self._lanes.get(address)
        if lane is None:
            lane = self._lanes[address] = _Lane(address)
        return lane

    def _go_on(self, lane: _Lane[T]) -> None:
        """Let *lane* begin again, if it may; forget it if there is nothing to know of it."""
        if not lane.is_free:
            return
        if lane.waiting:
            self._ready.append(lane)
        else:
            del self._lanes[lane.address]

    def _empty(self, lane: _Lane[T]) -> None:
        """Remove all that waits in *lane*, which is something."""
        lane.waiting.clear()
        if lane.is_free:
            self._ready.remove(lane)
            del self._lanes[lane.address]

    def _arrive_beside(self, address: Address, item: T, beside: str) -> None:
        copies = self._abreast.get(address, {}).get(beside)
        if copies is not None:
            copies.append(item)
            return
        waiting = self._beside.get(address)
        if waiting is not None:
            waiting.append((beside, item))
            return
        self._beside[address] = deque(((beside, item),))
        self._ready.append(address)

    def _next_beside(self, address: Address) -> Admitted[T] | None:
        """Return the next interleaved item of *address*; None if it only joined the copy of it that runs."""
        waiting = self._beside[address]
        beside, item = waiting.popleft()
        if waiting:
            self._ready.append(address)
        else:
            del self._beside[address]
        abreast = self._abreast.setdefault(address, {})
        if beside in abreast:
            abreast[beside].append(item)
            return None
        abreast[beside] = []
        self._abreast_count += 1
        return Admitted(address, item, beside)
