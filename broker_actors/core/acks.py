"""Which acknowledgements a channel sends for the deliveries that have ended.

Invariant: an acknowledgement of several deliveries covers only a contiguous prefix of
ended ones, so that it can never cover one that still runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from broker_actors.core.light import dataclass


@dataclass(frozen=True, slots=True)
class AckPlan:
    """What to send now.

    Attributes:
        up_to: acknowledge everything up to and including this tag; 0 for nothing.
        singles: acknowledge these tags one by one.

    """

    up_to: int
    singles: tuple[int, ...]


class AckWindow:
    """The deliveries of one channel. Tags count from 1 without gaps, as AMQP numbers them."""

    __slots__ = ("_ended", "_prefix", "_sent", "end")

    def __init__(self) -> None:
        #: Everything up to here was acknowledged, and of what is behind it these.
        self._prefix = 0
        self._sent: set[int] = set()
        #: What was said to have ended since the last `take`, perhaps not for the first time.
        self._ended: set[int] = set()
        #: Takes note that the delivery of a tag has ended.
        self.end: Final[Callable[[int], None]] = self._ended.add

    def take(self) -> AckPlan:
        """Return what to send for everything that ended since the last call."""
        ended, last = self._ended, self._prefix + len(self._ended)
        if ended and not self._sent and min(ended) > self._prefix and max(ended) == last:
            # Nothing is missing between them: as it is while one ends after the other.
            self._prefix = last
            ended.clear()
            return AckPlan(last, ())
        return self._take_each()

    def _take_each(self) -> AckPlan:
        up_to = 0
        self._ended -= self._sent
        self._ended.difference_update([tag for tag in self._ended if tag <= self._prefix])
        while (tag := self._prefix + 1) in self._ended or tag in self._sent:
            self._prefix = tag
            if tag in self._ended:
                self._ended.remove(tag)
                # Never name a tag acknowledged before: the broker closes the channel over an unknown one.
                up_to = tag
            else:
                self._sent.remove(tag)
        singles = tuple(sorted(self._ended))
        self._sent |= self._ended
        self._ended.clear()
        return AckPlan(up_to, singles)
