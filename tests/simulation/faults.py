"""What may go wrong with one call of a port, and how often in which scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Final


class Fate(StrEnum):
    """What becomes of a call."""

    FINE = "fine"
    #: No effect, and the caller is told that it is not known.
    REFUSED = "refused"
    #: The effect happens; the answer is lost.
    LOST = "answer lost"
    #: The caller gives up; the effect happens after that.
    LATE = "effect after the error"
    #: The effect happens twice.
    TWICE = "twice"
    #: A publish that went astray and was repeated by the connection: confirmed, but behind later ones.
    RESENT = "sent again"
    #: The mailbox is full.
    FULL = "nack"
    #: The reply channel vanishes with what is in it; its reader makes it anew.
    GONE = "channel gone"
    #: Everything happens, but late.
    SLOW = "slow"


#: What can become of which calls.
_PUBLISH: Final = frozenset(Fate) - {Fate.GONE}
_WRITE: Final = frozenset({Fate.REFUSED, Fate.LOST, Fate.LATE, Fate.SLOW})
_OPENING: Final = frozenset({Fate.REFUSED, Fate.SLOW})
POSSIBLE: Final[Mapping[str, frozenset[Fate]]] = MappingProxyType(
    {
        "broker.publish": _PUBLISH,
        "broker.declare": _OPENING,
        "broker.consume": _OPENING,
        "broker.close": frozenset({Fate.SLOW}),
        "broker.depth": _OPENING,
        "broker.ack": frozenset(),
        "store.layout": _WRITE,
        "store.recorded_layout": _OPENING,
        "store.origin": _OPENING,
        "store.pasts": _OPENING,
        "store.claim": _WRITE,
        "store.look_up": _OPENING,
        "store.accepted": _OPENING,
        "store.answered": _OPENING,
        "store.sections": _OPENING,
        "store.commit": _WRITE | {Fate.TWICE},
        "store.dispatched": _WRITE | {Fate.TWICE},
        "store.undispatched": _OPENING,
        "store.outbox": _OPENING,
        "store.parking": _OPENING,
        "store.parked": _OPENING,
        "store.schedule": _WRITE | {Fate.TWICE},
        "store.arrived": _WRITE | {Fate.TWICE},
        "store.cancel": _WRITE | {Fate.TWICE},
        "store.reminder": _OPENING,
        "store.charge": _WRITE,
        "store.discharge": _WRITE,
        "replies.open": _OPENING,
        "replies.send": _WRITE | {Fate.TWICE, Fate.GONE},
        "members.beat": _WRITE,
        "members.leave": _WRITE,
        "members.hold": _WRITE,
        "members.release": _WRITE,
    }
)
#: Every place where a node may crash by plan: beside each effect.
POINTS: Final = tuple((call, phase) for call in POSSIBLE for phase in ("before", "after"))
#: Faults of one kind a seed has at the most, so that what must end within attempts does.
FAULTS_MAX: Final = 8


@dataclass(slots=True)
class Faults:
    """The dice of one seed.

    Attributes:
        random: decides.
        rates: how often a call has which fate, if it can.
        active: whether anything goes wrong at all.

    """

    random: Random
    rates: Mapping[Fate, float]
    active: bool = True
    left: int = FAULTS_MAX
    _possible: dict[str, list[tuple[Fate, float]]] = field(
        default_factory=dict[str, list[tuple[Fate, float]]]
    )

    def fate(self, call: str) -> Fate:
        """Return what becomes of *call*."""
        if not self.active or self.left <= 0:
            return Fate.FINE
        possible = self._possible.get(call)
        if possible is None:
            rates = self.rates.items()
            possible = self._possible[call] = [(fate, rate) for fate, rate in rates if fate in POSSIBLE[call]]
        if not possible:
            return Fate.FINE
        number = self.random.random()
        for fate, rate in possible:
            if number < rate:
                self.left -= 1
                return fate
            number -= rate
        return Fate.FINE
