"""How many of those who wait for room may try together: slow start, as TCP does it.

One tries first. With each success one more may be under way, so that their number doubles in
the time one publish takes; the first refusal makes it one again. Source: RFC 5681, section 3.1.
Invariants: between 1 and `WINDOW_MAX` try together; of those that tried together any number
may be refused and it counts once; what was under way before the last refusal counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Calls of one process that try one mailbox together: what a full one refuses in vain at a time.
WINDOW_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Pacing:
    """What is known of a mailbox that was full.

    Attributes:
        window: how many may try together.
        refusals: how often in a row it was found full; above 0 who is next pauses first.
        epoch: how often it was found full; those who try remember in which epoch they began.

    """

    window: int = 1
    refusals: int = 0
    epoch: int = 0

    def taken(self, epoch: int) -> Pacing:
        """Return what is known once a message that began in *epoch* was taken."""
        if epoch != self.epoch:
            return self
        return Pacing(min(WINDOW_MAX, self.window + 1), 0, epoch)

    def refused(self, epoch: int) -> Pacing:
        """Return what is known once a message that began in *epoch* was refused."""
        if epoch != self.epoch:
            return self
        return Pacing(1, self.refusals + 1, epoch + 1)
