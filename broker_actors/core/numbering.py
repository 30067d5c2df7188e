"""How a sender numbers its envelopes, densely per target actor.

Invariant: for one address the numbers taken are 1, 2, 3, ... and `low` is never above a
number whose outcome the sender still awaits.
"""

from __future__ import annotations

from broker_actors.core.address import Address


class Numbering:
    """The numbers of one sender incarnation."""

    __slots__ = ("_by_address",)

    def __init__(self) -> None:
        self._by_address: dict[Address, _Numbers] = {}

    def take(self, address: Address) -> tuple[int, int]:
        """Return the next number for *address* and the lowest one still awaited, itself included."""
        numbers = self._by_address.get(address)
        if numbers is None:
            numbers = self._by_address[address] = _Numbers()
        numbers.last += 1
        return numbers.last, numbers.low

    def settle(self, address: Address, number: int) -> None:
        """Take note that the outcome of *number* is no longer awaited."""
        numbers = self._by_address.get(address)
        if numbers is not None and numbers.low <= number <= numbers.last:
            numbers.settle(number)

    def __len__(self) -> int:
        """How many addresses have been numbered."""
        return len(self._by_address)


class _Numbers:
    """Those of one address: `low` to `last` are awaited, but for what is settled out of order."""

    __slots__ = ("early", "last", "low")

    def __init__(self) -> None:
        self.last = 0
        self.low = 1
        #: Settled above `low`. Few have any, and of addresses there are many.
        self.early: set[int] | None = None

    def settle(self, number: int) -> None:
        if number != self.low:
            self.early = self.early or set()
            self.early.add(number)
            return
        self.low += 1
        if self.early is not None:
            while self.low in self.early:
                self.early.remove(self.low)
                self.low += 1
            self.early = self.early or None
