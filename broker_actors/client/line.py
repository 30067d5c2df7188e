"""The line before one full mailbox: who of those who wait may try now.

How many is decided in `core.slow_start`; here is who. Invariants: of one actor only one tries
at a time, and it keeps its place until it is through or gives up, so that none of that actor
overtakes it; of those who may try the one that has waited longest goes first.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass, field

from broker_actors.core.address import Address
from broker_actors.core.slow_start import Pacing


@dataclass(slots=True, eq=False)
class Waiting:
    """Somebody in line.

    Attributes:
        actor: whom it calls.
        number: orders those in line by when they came.
        granted: set while it may try.
        epoch: what `Pacing` wants to know about its try.

    """

    actor: Address
    number: int
    granted: asyncio.Event = field(default_factory=asyncio.Event)
    epoch: int = 0

    def __lt__(self, other: Waiting) -> bool:
        """Return whether it came before *other*."""
        return self.number < other.number


class Line:
    """Those who wait for one mailbox. Made when its first call was refused."""

    __slots__ = ("_actors", "_going", "_heads", "_last", "length", "pacing")

    def __init__(self) -> None:
        #: How full the mailbox is found: it was a refusal that made the line.
        self.pacing = Pacing().refused(0)
        #: How many stand in it, those who try included.
        self.length = 0
        self._last = 0
        self._going = 0
        #: Who waits for each actor. The first of them tries, or is one of the heads.
        self._actors: dict[Address, OrderedDict[Waiting, None]] = {}
        #: Those who are the first of their actor and do not try, sorted.
        self._heads: list[Waiting] = []

    def stand(self, actor: Address) -> Waiting:
        """Put a call of *actor* at the end."""
        self._last += 1
        self.length += 1
        waiting = Waiting(actor, self._last)
        queue = self._actors.setdefault(actor, OrderedDict())
        queue[waiting] = None
        if len(queue) == 1:
            insort(self._heads, waiting)
        self._let_go()
        return waiting

    def refused(self, waiting: Waiting) -> None:
        """Take note that *waiting* tried in vain: it stays the first of its actor, and may try again."""
        self.pacing = self.pacing.refused(waiting.epoch)
        self.step_back(waiting)

    def step_back(self, waiting: Waiting) -> None:
        """Let *waiting*, which may try, wait again."""
        waiting.granted.clear()
        self._going -= 1
        insort(self._heads, waiting)
        self._let_go()

    def leave(self, waiting: Waiting, *, is_taken: bool) -> None:
        """Take *waiting* out: the broker has its message, or it gave up."""
        if is_taken:
            self.pacing = self.pacing.taken(waiting.epoch)
        self.length -= 1
        queue = self._actors[waiting.actor]
        was_first = next(iter(queue)) is waiting
        del queue[waiting]
        if waiting.granted.is_set():
            self._going -= 1
        elif was_first:
            del self._heads[bisect_left(self._heads, waiting)]
        if not queue:
            del self._actors[waiting.actor]
        elif was_first:
            insort(self._heads, next(iter(queue)))
        self._let_go()

    def _let_go(self) -> None:
        while self._going < self.pacing.window and self._heads:
            waiting = self._heads.pop(0)
            self._going += 1
            waiting.epoch = self.pacing.epoch
            waiting.granted.set()
