"""Parkings: for each actor, the accepted envelopes its lane may not run yet, in order.

A parking changes only together with a commit of its actor, so it is fenced, atomic and
idempotent like everything else of a turn. Invariant: what is parked is older than what the
actor has not accepted yet, so that running the parking first keeps the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted

#: Parked actors listed at once.
PARKED_LISTED_MAX: Final = 1_000
#: Entries read at once.
PARKED_READ_MAX: Final = 16
#: When the head of a parking is due that waits for an operator. No clock shows it, and every store holds it.
NEVER_MS: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class ParkingChange:
    """What a commit does to the parking of its actor: first to its head, then to its end.

    Attributes:
        pops: whether the head leaves.
        head: what takes the place of the head, which does not leave; None if it stays as it is.
        appended: entries that line up at the end.
        accepted: what is accepted of the senders of those, their numbers included.
        due_ms: when the head is to run after this, Unix milliseconds; long past for at once.

    """

    pops: bool = False
    head: bytes | None = None
    appended: Sequence[bytes] = ()
    accepted: Mapping[str, Accepted] = field(default_factory=lambda: MappingProxyType({}))
    due_ms: int = 0


@dataclass(frozen=True, slots=True)
class ParkingSize:
    """How much is parked.

    Attributes:
        entries: how many envelopes.
        bytes: of all of them together.

    """

    entries: int = 0
    bytes: int = 0


class Parkings(Protocol):
    """What of the parkings is read without taking their actors."""

    async def parking(
        self, address: Address, *, start: int = 0, limit: int = PARKED_READ_MAX
    ) -> Sequence[bytes]:
        """Return the entries of *address* from *start* on, the head being 0; at most *limit* of them.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def parked(self, actor_type: str, *, due_before_ms: int) -> Sequence[Address]:
        """Return actors of *actor_type* whose head was due before that; at most 1,000, the longest due first.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def parked_bytes(self, actor_type: str) -> int:
        """Return how many bytes the actors of *actor_type* have parked together.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def make_due(self, address: Address, due_ms: int) -> None:
        """Let the head of *address* be due at *due_ms*; nothing if nothing is parked. Idempotent.

        Only for those who look for due actors: it changes no entry.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...
