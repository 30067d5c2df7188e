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


class Lanes(Generic[T]):
    """The lanes of one worker.

    Invariant: `_ready` has (address, False) exactly when the lane of the address has items, none of
    them runs and it is not held, and (address, True) exactly when interleaved items of it wait; each of
    them once.
    """

    def __init__(self, running_max: int = RUNNING_MAX) -> None:
        self._waiting: dict[Address, deque[T]] = {}
        self._beside: dict[Address, deque[tuple[str, T]]] = {}
        self._ready: deque[tuple[Address, bool]] = deque()
        self._running: set[Address] = set()
        #: The interleaved items that run, each with the copies that wait for its end.
        self._abreast: dict[Address, dict[str, list[T]]] = {}
        self._abreast_count = 0
        #: Lanes of which nothing begins for now.
        self._held: set[Address] = set()
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
        waiting = self._waiting.get(address)
        if waiting is not None:
            waiting.append(item)
            return
        self._waiting[address] = deque((item,))
        if self._is_free(address):
            self._ready.append((address, False))

    def next(self) -> Admitted[T] | None:
        """Return the next item to run, now running; None if none may."""
        while self._ready and self.running - self._exempt < self._running_max:
            address, is_beside = self._ready.popleft()
            if not is_beside:
                return self._next_of_lane(address)
            if (admitted := self._next_beside(address)) is not None:
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
        self._running.remove(address)
        if address in self._waiting and address not in self._held:
            self._ready.append((address, False))

    def exempt(self, change: int) -> None:
        """Count *change* more (or fewer) running items as merely waiting for somebody else's answer."""
        self._exempt += change

    def drop(self, address: Address) -> list[T]:
        """Remove and return what waits of *address*: its lane in order, then what interleaves."""
        waiting = self._waiting.pop(address, None)
        if waiting is not None and self._is_free(address):
            self._ready.remove((address, False))
        beside = self._beside.pop(address, None)
        if beside is not None:
            self._ready.remove((address, True))
        dropped = [*(waiting or ()), *(item for _, item in beside or ())]
        for copies in self._abreast.get(address, {}).values():
            dropped += copies
            copies.clear()
        return dropped

    def hold(self, address: Address) -> None:
        """Let nothing of the lane of *address* begin until it is released. Idempotent."""
        if self._is_free(address) and address in self._waiting:
            self._ready.remove((address, False))
        self._held.add(address)

    def release(self, address: Address) -> None:
        """Let the lane of *address* begin again. Idempotent."""
        if address not in self._held:
            return
        self._held.discard(address)
        if self._is_free(address) and address in self._waiting:
            self._ready.append((address, False))

    def waiting_of(self, address: Address) -> Iterator[T]:
        """Yield what waits in the lane of *address*, in order; what interleaves is not in it."""
        yield from self._waiting.get(address, ())

    def remove(self, address: Address, items: Collection[T]) -> None:
        """Remove *items* from the lane of *address*, as far as they are in it."""
        waiting = self._waiting.get(address)
        if waiting is None or not items:
            return
        left = deque(item for item in waiting if item not in items)
        if left:
            self._waiting[address] = left
            return
        del self._waiting[address]
        if self._is_free(address):
            self._ready.remove((address, False))

    def put_back(self, address: Address, item: T) -> None:
        """Put *item* at the front of the lane of *address*."""
        if address in self._waiting:
            self._waiting[address].appendleft(item)
        else:
            self.arrive(address, item)

    @property
    def longest(self) -> int:
        """How many items wait in the longest lane."""
        return max(map(len, self._waiting.values()), default=0)

    def each(self) -> Iterator[tuple[Address, Iterable[T]]]:
        """Yield each lane in which something waits: whose, and what, in order."""
        yield from self._waiting.items()

    def is_idle(self, address: Address) -> bool:
        """Return whether nothing of *address* runs or waits."""
        of_lane = address in self._running or address in self._waiting
        return not (of_lane or address in self._abreast or address in self._beside)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing runs and nothing is ready to."""
        return not (self._ready or self.running)

    def items(self) -> Iterator[T]:
        """Yield what waits, lane by lane."""
        for waiting in self._waiting.values():
            yield from waiting
        for beside in self._beside.values():
            yield from (item for _, item in beside)
        for abreast in self._abreast.values():
            for copies in abreast.values():
                yield from copies

    def depths(self) -> dict[Address, int]:
        """Return how many items of each actor wait, of those that have any."""
        depths = {address: len(items) for address, items in self._waiting.items()}
        for address, beside in self._beside.items():
            depths[address] = depths.get(address, 0) + len(beside)
        for address, abreast in self._abreast.items():
            if copies := sum(map(len, abreast.values())):
                depths[address] = depths.get(address, 0) + copies
        return depths

    @property
    def running(self) -> int:
        """How many items run, the exempt ones included."""
        return len(self._running) + self._abreast_count

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return sum(self.depths().values())

    def _is_free(self, address: Address) -> bool:
        return address not in self._running and address not in self._held

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
        self._ready.append((address, True))

    def _next_of_lane(self, address: Address) -> Admitted[T]:
        waiting = self._waiting[address]
        item = waiting.popleft()
        if not waiting:
            del self._waiting[address]
        self._running.add(address)
        return Admitted(address, item)

    def _next_beside(self, address: Address) -> Admitted[T] | None:
        """Return the next interleaved item of *address*; None if it only joined the copy of it that runs."""
        waiting = self._beside[address]
        beside, item = waiting.popleft()
        if waiting:
            self._ready.append((address, True))
        else:
            del self._beside[address]
        abreast = self._abreast.setdefault(address, {})
        if beside in abreast:
            abreast[beside].append(item)
            return None
        abreast[beside] = []
        self._abreast_count += 1
        return Admitted(address, item, beside)
