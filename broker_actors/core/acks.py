"""Which acknowledgements a channel sends for the deliveries that have ended.

Invariant: an acknowledgement of several deliveries covers only a contiguous prefix of
ended ones, so that it can never cover one that still runs.
"""

from __future__ import annotations

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

    __slots__ = ("_ended", "_prefix", "_sent")

    def __init__(self) -> None:
        self._prefix = 0
        self._ended: set[int] = set()
        self._sent: set[int] = set()

    def end(self, tag: int) -> None:
        """Take note that the delivery *tag* has ended."""
        if tag > self._prefix and tag not in self._sent:
            self._ended.add(tag)

    def take(self) -> AckPlan:
        """Return what to send for everything that ended since the last call."""
        up_to = 0
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
