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

    __slots__ = ("_on_abandon", "actor_type", "lost", "mailbox")

    def __init__(self, mailbox: str, actor_type: str, on_abandon: Callable[[], None]) -> None:
        self.mailbox = mailbox
        self.actor_type = actor_type
        #: Whether the broker has, or is about to have, its messages back.
        self.lost = False
        self._on_abandon = on_abandon

    def abandon(self) -> None:
        """Give everything unacknowledged back to the broker, in order. Idempotent."""
        if not self.lost:
            self.lost = True
            self._on_abandon()


@dataclass(frozen=True, slots=True)
class Arrival:
    """One envelope in this worker's hands."""

    envelope: Envelope
    delivery: Delivery
    subscription: Subscription
    arrived_seconds: float
