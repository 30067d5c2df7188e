"""Reminders: kept with their actors, found by those who list them.

A reminder changes only together with a commit of its actor, so that the ticks it sends leave with
the change or not at all; only to forget one, anybody may. What is in a reminder the store does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from broker_actors.core.address import Address


@dataclass(frozen=True, slots=True)
class ReminderChange:
    """What a commit makes of one reminder.

    Attributes:
        name: which one.
        reminder: what it is from now on; None for none.
        due_ms: when its next tick is due, Unix milliseconds.
        instead_of: what it must be for that, or nothing changes; None for whatever it is.

    """

    name: str
    reminder: bytes | None
    due_ms: int = 0
    instead_of: bytes | None = None


class Reminders(Protocol):
    """What of the reminders is read, or forgotten, without taking their actors."""

    async def reminder(self, address: Address, name: str) -> bytes | None:
        """Return the reminder *name* of *address*; None if it has none of that name.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def reminders(self, address: Address) -> Mapping[str, bytes]:
        """Return the reminders of *address*, by name.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def forget_reminder(self, address: Address, name: str) -> bool:
        """Forget the reminder *name* of *address*; return whether there was one. Idempotent but for that.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        ...

    async def all_reminders(
        self, actor_type: str, *, limit: int = 1_000, due_before_ms: int | None = None
    ) -> Sequence[tuple[Address, str, bytes]]:
        """Return actors of *actor_type* with a reminder, its name and itself, those due first first.

        Args:
            actor_type: whose actors.
            limit: how many at the most.
            due_before_ms: only those whose next tick is due before that, Unix milliseconds; None for all.

        Raises:
            ConfigurationError: the limit is not 1 to `SCHEDULED_LISTED_MAX`.
            StoreUnavailableError: no answer within the deadline.

        """
        ...
