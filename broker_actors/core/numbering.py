"""How a sender numbers its envelopes, densely per target actor.

Invariant: for one address the numbers taken are 1, 2, 3, ... and `low` is never above a
number whose outcome the sender still awaits.
"""

from __future__ import annotations

from broker_actors.core.address import Address


class Numbering:
    """The numbers of one sender incarnation."""

    __slots__ = ("_awaited", "_last")

    def __init__(self) -> None:
        self._last: dict[Address, int] = {}
        # Insertion order is number order, so the first key is the lowest.
        self._awaited: dict[Address, dict[int, None]] = {}

    def take(self, address: Address) -> tuple[int, int]:
        """Return the next number for *address* and the lowest one still awaited, itself included."""
        number = self._last.get(address, 0) + 1
        self._last[address] = number
        awaited = self._awaited.setdefault(address, {})
        awaited[number] = None
        return number, next(iter(awaited))

    def settle(self, address: Address, number: int) -> None:
        """Take note that the outcome of *number* is no longer awaited."""
        awaited = self._awaited.get(address)
        if awaited is None:
            return
        awaited.pop(number, None)
        if not awaited:
            del self._awaited[address]

    def __len__(self) -> int:
        """How many addresses have been numbered."""
        return len(self._last)
