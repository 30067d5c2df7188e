"""What happened, for logs and counters. Observers watch; they never ack, retry or dedup."""

from __future__ import annotations

from typing import Protocol

from broker_actors.core.events import Event


class Observer(Protocol):
    """Receives events."""

    def observe(self, event: Event) -> None:
        """Take note of *event*. Must not block and must not raise."""
        ...
