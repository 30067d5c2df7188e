"""Actors in a list, for people who look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.suspension import Suspension

#: Actors listed at once.
PAGE_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Summary:
    """An actor as the store holds it, in a list.

    Attributes:
        address: the actor.
        epoch: that of its newest claim; by its making about the Unix milliseconds of that claim.
        version: commits so far.
        state_bytes: size of the last committed state; 0 if it never had one.
        undispatched: how many items its outbox holds.
        parked: how many envelopes its parking holds.
        suspension: why it is suspended; None if it is not.

    """

    address: Address
    epoch: int
    version: int
    state_bytes: int
    undispatched: int
    parked: int = 0
    suspension: Suspension | None = None


def check_page(limit: int) -> int:
    """Return *limit* if so many actors may be listed at once.

    Raises:
        ConfigurationError: it is not 1 to `PAGE_MAX`.

    """
    if not 1 <= limit <= PAGE_MAX:
        text = f"limit={limit} must be 1 to {PAGE_MAX:,}: a longer list is read page by page"
        raise ConfigurationError(text)
    return limit
