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
        return numbers.take()

    def settle(self, address: Address, number: int) -> None:
        """Take note that the outcome of *number* is no longer awaited."""
        numbers = self._by_address.get(address)
        if numbers is not None:
            numbers.settle(number)

    def __len__(self) -> int:
        """How many addresses have been numbered."""
        return len(self._by_address)


class _Numbers:
    """Those of one address: as many are kept as are awaited, however long the first of them takes."""

    __slots__ = ("_awaited", "_last")

    def __init__(self) -> None:
        self._last = 0
        #: In their order, so that the first is the lowest; None for none, as of most addresses.
        self._awaited: dict[int, None] | None = None

    def take(self) -> tuple[int, int]:
        self._last = number = self._last + 1
        if self._awaited is None:
            self._awaited = {number: None}
            return number, number
        self._awaited[number] = None
        return number, next(iter(self._awaited))

    def settle(self, number: int) -> None:
        if self._awaited is not None:
            self._awaited.pop(number, None)
            self._awaited = self._awaited or None
