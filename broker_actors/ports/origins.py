"""Which run of which store answers: whether it may have gone back to what it was before.

Invariant: a store that has lost what it had confirmed answers with another origin than
before. Another origin does not mean that anything was lost: every restart has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.past import Past

#: Actors of which the past is asked for at once.
PASTS_READ_MAX: Final = 1_000


class Origins(Protocol):
    """What tells that the store may have gone back, and for which actors it has."""

    async def origin(self) -> str:
        """Return what names this run of the store, all its servers together; never empty.

        Raises:
            StoreUnavailableError: no answer within the deadline, or of a server that only follows another.

        """
        ...

    async def pasts(self, addresses: Sequence[Address]) -> Sequence[Past]:
        """Return what the store knows of each of *addresses*, at most `PASTS_READ_MAX`. Nothing is claimed.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...
