"""Which numbers of one sender an actor has accepted: exactly, in a few bytes.

A sender numbers its envelopes to one actor 1, 2, 3, ... Nearly all of them arrive in order,
so the set of those accepted is the highest one and the holes below it. A high-water mark
alone would be wrong: with pipelined publishes the broker may refuse one in the middle, and
what is then sent again is below the mark. Invariants: a number once in a set stays in it;
a hole is never closed by anything but its own envelope, for the broker may hand out late
what it confirmed early.
"""

from __future__ import annotations

from typing import Final

from broker_actors.core import codec, packer
from broker_actors.core.errors import PayloadTooLargeError, UndecodableError
from broker_actors.core.light import dataclass

#: Ranges of missing numbers. Each takes a publish that was never confirmed.
HOLES_MAX: Final = 1_024
_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Accepted:
    """The numbers of one sender that one actor has accepted.

    Attributes:
        high: the highest of them; 0 for none.
        holes: ranges below it that are missing, each from first to last, in order.
        low: replies to asks with lower numbers were given up.
        last_ms: when the last one was accepted, Unix milliseconds.

    """

    high: int = 0
    holes: tuple[tuple[int, int], ...] = ()
    low: int = 1
    last_ms: int = 0

    def __contains__(self, number: int) -> bool:
        """Return whether *number* is one of them."""
        if number > self.high or not self.holes:
            return number <= self.high
        return not any(first <= number <= last for first, last in self.holes)

    def plus(self, number: int) -> Accepted | None:
        """Return this set and *number*; None if that leaves more holes than can be remembered."""
        if number == self.high + 1:
            return self._with(number, self.holes)
        if number in self:
            return self
        if number > self.high:
            return self._with(number, (*self.holes, (self.high + 1, number - 1)))
        holes: list[tuple[int, int]] = []
        for first, last in self.holes:
            if first <= number <= last:
                around = ((first, number - 1), (number + 1, last))
                holes += [(one, other) for one, other in around if one <= other]
            else:
                holes.append((first, last))
        return self._with(self.high, tuple(holes))

    def heard(self, number: int, low: int, last_ms: int) -> Accepted | None:
        """Return what `plus` returns, heard at *last_ms* with that *low*."""
        if number == self.high + 1 and not self.holes:
            # As nearly always.
            return Accepted(number, (), low, last_ms)
        more = self.plus(number)
        return None if more is None else Accepted(more.high, more.holes, low, last_ms)

    def _with(self, high: int, holes: tuple[tuple[int, int], ...]) -> Accepted | None:
        return Accepted(high, holes, self.low, self.last_ms) if len(holes) <= HOLES_MAX else None

    def pack(self) -> bytes:
        """Return this set as bytes, which as numbers in a list need not be read again to be sure of them.

        Raises:
            TypeError: a number of more than 64 bits.

        """
        flat = [self.high, self.low, self.last_ms]
        for hole in self.holes:
            flat += hole
        try:
            return packer.pack(flat)
        except OverflowError as error:
            raise TypeError(codec.BEYOND_64_BITS) from error

    @classmethod
    def unpack(cls, data: bytes) -> Accepted:
        """Return the set in *data*.

        Raises:
            UndecodableError: it is not one.

        """
        try:
            plain = codec.decode(data, bytes_max=_BYTES_MAX)
        except PayloadTooLargeError as error:
            raise UndecodableError(str(error)) from error
        match plain:
            case [int(high), int(low), int(last_ms), *flat] if len(flat) % 2 == 0:
                numbers = [number for number in flat if isinstance(number, int)]
                holes = tuple(zip(numbers[::2], numbers[1::2], strict=True))
                return cls(high, holes, low, last_ms)
            case _:
                raise UndecodableError("not a set of accepted numbers")
