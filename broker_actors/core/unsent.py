"""What an actor has committed and does not know to be confirmed, and what may leave meanwhile.

An item that was not taken holds back what follows it to the same target, and nothing else;
the relay, or the next activation, sends what is held back, in order. Invariant: while an
item that was not taken may still be in the outbox, no later one to its target is let out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

from broker_actors.core.outgoing import Outgoing

#: The version that committed an item, and its index there: in the order in which they are to leave.
Place: TypeAlias = tuple[int, int]


class Backlog:
    """The unsent items of one activation."""

    __slots__ = ("_held", "_lines", "_targets")

    def __init__(self) -> None:
        #: By target, in order: sender and number of each. Items without a target wait for nothing.
        self._lines: dict[str, dict[Place, tuple[str, int]]] = {}
        self._targets: dict[Place, str] = {}
        #: What was not taken, and what waits behind it, by target.
        self._held: dict[str, set[Place]] = {}

    @property
    def is_holding(self) -> bool:
        """Whether anything is held back."""
        return bool(self._held)

    def add(self, place: Place, item: Outgoing) -> bool:
        """Take in a committed item; return whether it may leave now, or waits behind another."""
        target = self._targets[place] = item.target
        if not target:
            return True
        self._lines.setdefault(target, {})[place] = (item.sender, item.seq)
        if target not in self._held:
            return True
        self._held[target].add(place)
        return False

    def hold(self, place: Place) -> None:
        """Take note that an item was not taken, or that nobody knows."""
        if target := self._targets.get(place):
            self._held.setdefault(target, set()).add(place)
        else:
            self._targets.pop(place, None)

    def confirm(self, places: Iterable[Place]) -> None:
        """Forget items that have left."""
        for place in places:
            if not (target := self._targets.pop(place, "")):
                continue
            line = self._lines[target]
            del line[place]
            if not line:
                del self._lines[target]
            if (held := self._held.get(target)) is not None:
                held.discard(place)
                if not held:
                    del self._held[target]

    def keep(self, places: Collection[Place], *, before: int) -> None:
        """Forget what is not in *places*: all that is left of what was committed before version *before*."""
        self.confirm([place for place in self._targets if place[0] < before and place not in places])

    def __len__(self) -> int:
        """How many items are not known to have left."""
        return len(self._targets)

    def low(self, item: Outgoing) -> int:
        """Return the lowest number of *item*'s sender to its target that is not known to have left."""
        line = self._lines.get(item.target, {})
        # The numbers of one sender rise; those of an earlier incarnation come before them.
        return next((seq for sender, seq in line.values() if sender == item.sender), item.seq)
