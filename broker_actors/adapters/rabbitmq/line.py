"""The order of publications: who waits, who is on the way, who goes back.

Invariants: a publication is either waiting or on the way, or nobody's concern any more.
Those on the way were called before those that wait. While there are suspects, one
publication is on the way at a time.
"""

from __future__ import annotations

from collections import OrderedDict

from broker_actors.adapters.rabbitmq.publication import Publication


class Line:
    """Publications in the order of their calls.

    Args:
        in_flight_max: how many may be on the way together.

    """

    def __init__(self, in_flight_max: int) -> None:
        self._in_flight_max = in_flight_max
        self._waiting: OrderedDict[Publication, None] = OrderedDict()
        self._sent: OrderedDict[Publication, None] = OrderedDict()
        self._suspects: set[Publication] = set()

    @property
    def waiting(self) -> int:
        """How many wait to be sent."""
        return len(self._waiting)

    def enter(self, publication: Publication) -> None:
        """Put *publication* at the end of the line."""
        self._waiting[publication] = None

    def leave(self, publication: Publication) -> None:
        """Forget *publication* if it still waits: its caller does not any more."""
        self._waiting.pop(publication, None)
        self._suspects.discard(publication)

    def take(self) -> Publication | None:
        """Return the next to send, now on the way; None while none may be sent."""
        window = 1 if self._suspects else self._in_flight_max
        if not self._waiting or len(self._sent) >= window:
            return None
        publication, _ = self._waiting.popitem(last=False)
        self._sent[publication] = None
        return publication

    def settle(self, publication: Publication) -> None:
        """Take note that the broker has answered *publication*."""
        self._sent.pop(publication, None)
        self._suspects.discard(publication)

    def first_sent_seconds(self) -> float | None:
        """Return when the longest unanswered publication was sent; None when there is none."""
        return next(iter(self._sent)).sent_seconds if self._sent else None

    def restore(self, *, poisoned: bool) -> Publication | None:
        """Put everything unanswered back in front, in order: the channel is gone.

        Args:
            poisoned: one of those on the way is why the broker ended the channel.

        Returns:
            The one that did it, when only one can have; it is not put back.

        """
        back = [publication for publication in self._sent if not publication.done.done()]
        culprit = next(iter(self._sent)) if poisoned and len(self._sent) == 1 else None
        self._sent.clear()
        if culprit is not None:
            self._suspects.discard(culprit)
            return culprit
        if poisoned:
            self._suspects.update(back)
        for publication in reversed(back):
            self._waiting[publication] = None
            self._waiting.move_to_end(publication, last=False)
        return None

    def clear(self) -> list[Publication]:
        """Return everything unanswered, in order, and forget it."""
        everything = [*self._sent, *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        self._suspects.clear()
        return everything
