"""What a soak is to do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from tests.checker.verdict import Minimum
from tests.soak.faults import OF_CLUSTERS, Fault, Kind, draw


@dataclass(frozen=True, slots=True)
class Plan:
    """One soak.

    Attributes:
        seed: of calls and faults.
        load_seconds: how long senders call.
        gap_seconds: from one fault to the next, about.
        workers: how many.
        senders: how many.
        lines: callers of each.
        pause_seconds: of a caller between its bursts.
        kinds: of faults.
        minimum: what must have happened for the verdict to mean anything.

    """

    seed: int
    load_seconds: float
    gap_seconds: float = 2.0
    workers: int = 4
    senders: int = 3
    lines: int = 4
    pause_seconds: float = 0.02
    kinds: Collection[Kind] = field(default_factory=lambda: frozenset(Kind) - OF_CLUSTERS)
    minimum: Minimum = field(default_factory=Minimum)

    def faults(self) -> list[Fault]:
        """Return what happens when."""
        return list(draw(self.seed, self.load_seconds, self.gap_seconds, self.kinds))
