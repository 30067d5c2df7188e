"""Which kinds of trouble there are, and what a seed makes of them.

A seed is of one class, by its number, so that every class and every crash point has its
share of any range of seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Any, Final

from tests.simulation.faults import POINTS, Fate
from tests.simulation.world import Target


class Trouble(StrEnum):
    """What happens to a whole node or connection, at some step."""

    CRASH_WORKER = "crash worker"
    CRASH_CLIENT = "crash client"
    FREEZE = "freeze worker"
    FREEZE_DROPPED = "freeze worker, and drop it"
    DISCONNECT = "disconnect"
    CANCEL = "cancel a consumer"
    START = "start a worker"
    STOP = "stop a worker"
    LOSE_REPLIES = "lose a reply channel"
    START_OTHER = "start a worker of another layout"
    BACK_UP = "back up the store"
    RESTORE = "set the store back"
    RESTART = "restart the store"
    SUSPEND = "suspend an actor"
    RESUME = "resume the actors"


#: Trouble that has a class of its own, for it takes back what is promised otherwise, or needs a beginning.
_APART: Final = frozenset({Trouble.START_OTHER, Trouble.BACK_UP, Trouble.RESTORE})
_NO_RATES: Final[Mapping[Fate, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Scenario:
    """One class of trouble.

    Attributes:
        name: of the class.
        rates: what becomes of calls.
        troubles: what happens to nodes, each as likely as the others.
        troubles_max: how often, at the most.
        points: whether each seed has a crash point to crash at.
        prefetch: of the workers: windows.
        running_max: of the workers.
        inner: how likely a message makes its actor ask another one.
        sends: how likely a message makes its actor tell another one.
        requeues_to_back: whether the broker gives back to the end of a mailbox.
        poison: whether one message takes down whoever runs it.
        disturbs: whether a call may fail at all.
        blocks: whether what fails holds up what comes after it.
        sections: how likely a message is run beside the lane, in sections.
        timed: how likely a message sets a reminder, or is delayed and cancelled.
        rolls_back: whether the store is set back once.
        workers: at the start.

    """

    name: str
    rates: Mapping[Fate, float] = field(default_factory=lambda: _NO_RATES)
    troubles: tuple[Trouble, ...] = ()
    troubles_max: int = 0
    points: bool = False
    prefetch: int = 8
    running_max: int = 8
    inner: float = 0.15
    sends: float = 0.35
    requeues_to_back: bool = False
    poison: bool = False
    disturbs: bool = True
    blocks: bool = False
    sections: float = 0.0
    timed: float = 0.0
    rolls_back: bool = False
    workers: int = 2


_BROKER: Final = MappingProxyType(
    {
        Fate.REFUSED: 0.02,
        Fate.LOST: 0.03,
        Fate.LATE: 0.02,
        Fate.TWICE: 0.04,
        Fate.RESENT: 0.05,
        Fate.FULL: 0.04,
    }
)
_STORE: Final = MappingProxyType({Fate.REFUSED: 0.01, Fate.LOST: 0.03, Fate.LATE: 0.03, Fate.TWICE: 0.02})
_SLOW: Final = MappingProxyType({Fate.SLOW: 0.06})
_CRASHES: Final = (Trouble.CRASH_WORKER, Trouble.CRASH_WORKER, Trouble.CRASH_CLIENT, Trouble.START)
_MOVES: Final = (Trouble.START, Trouble.STOP, Trouble.START, Trouble.STOP, Trouble.CRASH_WORKER)
_CUTS: Final = (Trouble.DISCONNECT, Trouble.CANCEL, Trouble.CANCEL, Trouble.LOSE_REPLIES)
_OPERATORS: Final = (Trouble.SUSPEND, Trouble.SUSPEND, Trouble.RESUME, Trouble.CRASH_WORKER, Trouble.STOP)
_RESTARTS: Final = (*_CUTS, Trouble.RESTART, Trouble.RESTART)
_FREEZES: Final = (Trouble.FREEZE, Trouble.FREEZE_DROPPED, Trouble.FREEZE_DROPPED)

SCENARIOS: Final = (
    Scenario("crash points", points=True, troubles=(Trouble.CANCEL, Trouble.CRASH_WORKER), troubles_max=1),
    Scenario("crash at any step", troubles=_CRASHES, troubles_max=3),
    Scenario("broker", rates=_BROKER, troubles=_CUTS, troubles_max=1),
    Scenario("store", rates=_STORE, troubles=_RESTARTS, troubles_max=2),
    Scenario("cut connections", troubles=_CUTS, troubles_max=4),
    Scenario("requeue to the back", troubles=(*_CUTS, *_CRASHES), troubles_max=3, requeues_to_back=True),
    Scenario("frozen workers", troubles=_FREEZES, troubles_max=2, rates=_SLOW),
    Scenario("rebalancing", troubles=_MOVES, troubles_max=4),
    Scenario("relay against clear", rates={**_SLOW, Fate.FULL: 0.1, Fate.LOST: 0.03}, sends=0.9),
    Scenario("windows full of asks", prefetch=3, running_max=2, inner=0.7, troubles=_CRASHES, troubles_max=1),
    Scenario("suspended actors", troubles=_OPERATORS, troubles_max=6),
    Scenario("messages that kill", poison=True, inner=0.3),
    Scenario(
        "orderly",
        rates={Fate.GONE: 0.1},
        troubles=(Trouble.START, Trouble.STOP, Trouble.CANCEL, Trouble.LOSE_REPLIES),
        troubles_max=4,
        disturbs=False,
        # Backlogs would fill the windows, and keep back what their own turns ask for.
        prefetch=3,
    ),
    Scenario(
        "a failed message blocks",
        rates={fate: rate / 2 for fate, rate in _STORE.items()},
        troubles=(*_CRASHES, *_MOVES, Trouble.CANCEL, Trouble.FREEZE),
        troubles_max=3,
        prefetch=4,
        blocks=True,
    ),
    Scenario(
        "sections",
        rates={fate: rate / 2 for fate, rate in _STORE.items()},
        troubles=(*_CRASHES, *_MOVES, Trouble.CANCEL, Trouble.FREEZE_DROPPED),
        troubles_max=3,
        sections=0.6,
    ),
    Scenario(
        "another layout",
        troubles=(Trouble.START_OTHER, Trouble.START_OTHER, *_CRASHES),
        troubles_max=4,
    ),
    Scenario(
        "store rollback",
        troubles=(*_CUTS, *_MOVES, *_FREEZES, Trouble.RESTART),
        troubles_max=3,
        sends=0.6,
        rolls_back=True,
    ),
    Scenario(
        "everything",
        rates={fate: 0.01 for fate in Fate if fate is not Fate.FINE},
        troubles=tuple(trouble for trouble in Trouble if trouble not in _APART),
        troubles_max=3,
    ),
    Scenario(
        "reminders and cancelled tells",
        rates={fate: rate / 2 for fate, rate in _STORE.items()},
        troubles=(*_CRASHES, *_MOVES, Trouble.CANCEL, Trouble.FREEZE_DROPPED),
        troubles_max=3,
        timed=0.6,
    ),
)
#: At the start of a seed in which the store goes back.
ROLLED_BACK_WORKERS_MAX: Final = 3
#: Steps of a quiet seed in which something happens.
BUSY_STEPS: Final = 700


#: What makes a call happen that a calm seed never makes.
_TWICE: Final = {"rates": {Fate.TWICE: 0.5}, "troubles": _CUTS, "troubles_max": 3}
_LEFTOVERS: Final = {"rates": {Fate.FULL: 0.3}, "sends": 0.9}
_GOODBYES: Final = {"troubles": (Trouble.STOP, Trouble.START, Trouble.CANCEL), "troubles_max": 5}
_SUSPECTS: Final = {"troubles": (Trouble.CRASH_WORKER, Trouble.START), "troubles_max": 9}
_BLOCKED: Final = {"blocks": True, "prefetch": 3, "troubles": (Trouble.CANCEL,), "troubles_max": 9}
PROVOKED: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "store.accepted": _TWICE,
        "store.answered": _TWICE,
        "store.outbox": _LEFTOVERS,
        "store.undispatched": _LEFTOVERS,
        "store.dispatched": _LEFTOVERS,
        "broker.close": _GOODBYES,
        "members.leave": _GOODBYES,
        "members.release": _GOODBYES,
        "store.charge": _SUSPECTS,
        "store.discharge": _SUSPECTS,
        "store.sections": {"sections": 0.8},
        "store.parking": _BLOCKED,
        "store.parked": _BLOCKED,
        "store.pasts": {"troubles": (Trouble.RESTART,), "troubles_max": 9},
        "store.recorded_layout": {},
        "store.schedule": {"timed": 0.9},
        "store.arrived": {"timed": 0.9},
        "store.reminder": {"timed": 0.9},
        "store.cancel": {"timed": 0.9},
        "broker.depth": {},
    }
)


def scenario_of(seed: int) -> Scenario:
    """Return the class of *seed*."""
    scenario = SCENARIOS[seed % len(SCENARIOS)]
    if scenario.rolls_back:
        # Of one, somebody who knows more may be all there is; of several, somebody who knows less goes on.
        return replace(scenario, workers=1 + seed // len(SCENARIOS) % ROLLED_BACK_WORKERS_MAX)
    target = target_of(seed)
    return scenario if target is None else replace(scenario, **PROVOKED.get(target.call, {}))


def target_of(seed: int) -> Target | None:
    """Return where *seed* crashes by plan, if it does."""
    if not SCENARIOS[seed % len(SCENARIOS)].points:
        return None
    n = seed // len(SCENARIOS)
    call, phase = POINTS[n % len(POINTS)]
    # The first call of a kind may be far from any trouble; of some kinds there is hardly another.
    return Target(call, phase, 1 if call in PROVOKED else 1 + n // len(POINTS) % 6)


def troubles_of(scenario: Scenario, random: Random) -> list[tuple[int, Trouble]]:
    """Return what happens at which step."""
    if not scenario.troubles_max:
        return []
    number = random.randint(1, scenario.troubles_max)
    found = [(random.randrange(BUSY_STEPS), random.choice(scenario.troubles)) for _ in range(number)]
    if scenario.rolls_back:
        backed_up = random.randrange(BUSY_STEPS // 2)
        restored = backed_up + random.randrange(1, BUSY_STEPS // 2)
        found += [(backed_up, Trouble.BACK_UP), (restored, Trouble.RESTORE)]
    return found
