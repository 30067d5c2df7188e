"""Delayed tells: which ones wait, and which were cancelled.

The messages themselves wait in the broker. What is here is their list, for people, and the
records of those that must not run. A record is the keyed record of the tell: the turn that
finds it has nothing to do, and a turn that ran meanwhile cannot commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from broker_actors.core.errors import ConfigurationError
from broker_actors.core.scheduled import Scheduled

#: Delayed tells listed at once.
SCHEDULED_LISTED_MAX: Final = 10_000


class Schedules(Protocol):
    """What the store knows of delayed tells."""

    async def schedule(self, entry: Scheduled) -> bool:
        """List *entry*, in the place of an older one of its key; return whether it is to be sent. Idempotent.

        It is not listed, and must not be sent, if it was cancelled.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        ...

    async def arrived(self, entry: Scheduled) -> bool:
        """List *entry* no more; return whether it is to run: it is not if it was cancelled. Idempotent.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        ...

    async def cancel(self, entry: Scheduled) -> bool:
        """See to it that *entry* never commits; return whether that is so. Idempotent.

        Its key counts as settled until `CANCELLED_KEPT_SECONDS` after its time.

        Args:
            entry: address and key are enough for one that is listed.

        Returns:
            False if something has been committed under its key: it is too late.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        ...

    async def schedules(self, actor_type: str, *, limit: int = 1_000) -> Sequence[Scheduled]:
        """Return the tells that wait for actors of *actor_type*, those due first first; *limit* at most.

        Raises:
            ConfigurationError: the limit is not 1 to `SCHEDULED_LISTED_MAX`.
            StoreUnavailableError: no answer within the deadline.

        """
        ...


def check_listed(limit: int) -> None:
    """Refuse a list that is too long.

    Raises:
        ConfigurationError: *limit* is not 1 to `SCHEDULED_LISTED_MAX`.

    """
    if not 1 <= limit <= SCHEDULED_LISTED_MAX:
        raise ConfigurationError(f"limit={limit} must be 1 to {SCHEDULED_LISTED_MAX:,}")
