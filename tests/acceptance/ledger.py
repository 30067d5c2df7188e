"""The actors of the outage tests, in a module a worker process can be given."""

from __future__ import annotations

from broker_actors import Ref, actor, method


@actor(partitions=4)
class Ledger:
    """Remembers every number it was told, in order."""

    numbers: list[int]

    def __init__(self) -> None:
        self.numbers = []

    @method
    def note(self, number: int) -> None:
        self.numbers.append(number)

    @method
    def read(self) -> list[int]:
        return self.numbers


class LedgerRef(Ledger, Ref):
    """Typed handle."""
