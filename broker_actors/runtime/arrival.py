"""A delivery on its way through a worker, and the subscription it came by.

Invariant: once a subscription is lost, the broker owns its unacknowledged messages
again: what has not begun to run is forgotten here, for it is delivered anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broker_actors.core.envelope import Envelope
from broker_actors.ports.transport import Delivery


class Subscription:
    """One opening of one mailbox."""

    __slots__ = ("_is_lost", "_on_abandon", "actor_type", "mailbox")

    def __init__(self, mailbox: str, actor_type: str, on_abandon: Callable[[], None]) -> None:
        self.mailbox = mailbox
        self.actor_type = actor_type
        self._is_lost = False
        self._on_abandon = on_abandon

    def is_lost(self) -> bool:
        """Return whether the broker has, or is about to have, its messages back."""
        return self._is_lost

    def lose(self) -> None:
        """Take note that the broker has its messages back. Idempotent."""
        self._is_lost = True

    def abandon(self) -> None:
        """Give everything unacknowledged back to the broker, in order. Idempotent."""
        if not self._is_lost:
            self._is_lost = True
            self._on_abandon()


@dataclass(frozen=True, slots=True)
class Arrival:
    """One envelope in this worker's hands."""

    envelope: Envelope
    delivery: Delivery
    subscription: Subscription
    arrived_seconds: float
