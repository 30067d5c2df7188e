"""How often the run of each suspect began, and until when that is remembered."""

from __future__ import annotations

from broker_actors.core.address import Address
from broker_actors.ports.clock import Clock
from broker_actors.ports.store import CHARGES_KEPT_SECONDS


class Charges:
    """The counts of one store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: The count, and when it is forgotten.
        self._counts: dict[tuple[Address, str], tuple[int, int]] = {}

    def charge(self, address: Address, identity: str, at_most: int) -> int:
        """Count one more, unless it were more than *at_most*; return how many that makes."""
        count, kept_until_ms = self._counts.get((address, identity), (0, 0))
        count = 1 if kept_until_ms <= self._clock.now_ms() else count + 1
        if count <= at_most:
            self._set(address, identity, count)
        return count

    def discharge(self, address: Address, identity: str, keep: int) -> None:
        """Forget them but for *keep*."""
        if keep:
            self._set(address, identity, keep)
        else:
            self._counts.pop((address, identity), None)

    def _set(self, address: Address, identity: str, count: int) -> None:
        self._counts[address, identity] = (count, self._clock.now_ms() + CHARGES_KEPT_SECONDS * 1000)
