"""Synchronous methods that held up the event loop: reported each time, and counted.

Invariant: there is one count for each method of the worker's actors, and no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from broker_actors.core.envelope import Envelope
from broker_actors.core.events import SlowTurn
from broker_actors.ports.observer import Observer

#: Holding up the loop for longer than this is reported.
SLOW_SECONDS: Final = 0.010


class Slowness:
    """How often the methods of one worker held up its loop."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._counts: Counter[str] = Counter()

    def took(self, envelope: Envelope, seconds: float) -> None:
        """Take note that a step of *envelope*'s method, which exists here, held the loop for *seconds*."""
        if seconds <= SLOW_SECONDS:
            return
        self._counts[f"{envelope.address.type}.{envelope.method}"] += 1
        self._observer.observe(SlowTurn(envelope.address, envelope.method, seconds))

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each method that ever did has held up the loop, the most frequent first."""
        return dict(self._counts.most_common())
