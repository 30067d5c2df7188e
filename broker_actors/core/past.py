"""Whether a store still knows what somebody knows of an actor, or has gone back.

A version says how many commits there were, and not which: a store that has lost some may
have as many again soon. But what it has lost, it lost when it came to run anew. So of each
actor it keeps how its newest runs found it: which claim they found, and how many commits.
Invariant: what is lost is never taken for kept; what nobody can tell counts as lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Of one actor: the run before the newest one is how far back the newest one reaches.
RESUMPTIONS_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class Resumption:
    """The first claim of an actor under another run of the store than the claim before.

    Attributes:
        epoch: of that claim.
        before: the epoch it took the actor from; 0 for an actor that was new.
        version: commits it found.

    """

    epoch: int
    before: int
    version: int


@dataclass(frozen=True, slots=True)
class Past:
    """What a store knows of an actor.

    Attributes:
        epoch: of the newest claim; 0 for an actor that was never claimed.
        version: commits so far.
        resumptions: of the newest runs that claimed it, in order.

    """

    epoch: int = 0
    version: int = 0
    resumptions: tuple[Resumption, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """That there were *version* commits when *epoch* was that of the newest claim."""

    epoch: int
    version: int


def kept(past: Past, known: Known) -> int:
    """Return how many commits the store had left when it was next run anew, or has now.

    Fewer than are known means that it has lost some: 0 also if that cannot be told, because it
    does not know the claim any more under which they were made.
    """
    later = [one for one in past.resumptions if one.epoch > known.epoch]
    first = later[0] if later else Resumption(past.epoch, past.epoch, past.version)
    # Between the claim that is known and the one it found, another run may have been, and is forgotten.
    reaches = first.before == known.epoch or len(later) < len(past.resumptions) or not later
    is_sure = first.before >= known.epoch and reaches
    return first.version if is_sure or first.version < known.version else 0


def resumed(past: Past, epoch: int) -> tuple[Resumption, ...]:
    """Return the resumptions of an actor that *epoch* is the first to claim under this run."""
    return (*past.resumptions, Resumption(epoch, past.epoch, past.version))[-RESUMPTIONS_MAX:]
