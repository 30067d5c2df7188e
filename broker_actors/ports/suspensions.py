"""Suspensions: actors that run nothing until they are resumed.

A suspension changes only together with a commit of its actor, so it is fenced, atomic and
idempotent like everything else of a turn; a claim of the actor returns it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.suspension import Suspension

#: Suspended actors listed at once.
SUSPENDED_LISTED_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class SuspensionChange:
    """What a commit makes of its actor: suspended, or, for None, running again."""

    suspension: Suspension | None


class Suspensions(Protocol):
    """What of the suspensions is read without taking their actors."""

    async def suspended(self, actor_type: str) -> Sequence[tuple[Address, Suspension]]:
        """Return suspended actors of *actor_type*, those suspended first first; at most 1,000.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...
