"""Several observers as one."""

from __future__ import annotations

from collections.abc import Sequence

from broker_actors.core.events import Event
from broker_actors.ports.observer import Observer


class FanOut:
    """Tells every observer, in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def observe(self, event: Event) -> None:
        """Tell everybody about *event*."""
        for observer in self._observers:
            observer.observe(event)
