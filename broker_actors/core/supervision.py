"""What becomes of an actor whose turns fail: it restarts after a while, or is suspended.

Facts in, decision out. A restart is what follows every failed run: the instance is dropped
and built anew from the last commit; supervision adds the wait before the next run, and an
end to it. Invariant: an actor restarts at most `max_restarts` times in any window.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from broker_actors.core.errors import ErrorRecord
from broker_actors.core.light import dataclass

#: What is remembered of one actor: a moment for each restart in the window.
RESTARTS_MAX: Final = 10_000
#: The longest wait between two runs; the deliveries behind it wait in the worker's hands.
RESTART_BACKOFF_SECONDS_MAX: Final = 300.0
#: A longer window would make an actor fail for what nobody remembers.
RESTART_WINDOW_SECONDS_MAX: Final = 366 * 86_400.0
#: Past this many doublings the backoff is at any sensible maximum; the power stays small.
_DOUBLINGS_MAX: Final = 60

#: Kinds of errors that are the actor's own doing. A refusal is none, nor is an outage of the broker or
#: the store, an actor that is away, a message nobody can read or a release that is not here yet.
_ITS_OWN: Final = frozenset(
    {
        "SystemFaultError",
        "ConfigurationError",
        "UndeclaredStateError",
        "PayloadTooLargeError",
        "OutOfTurnError",
        "OrderError",
    }
)
#: The type of a fault that says nothing but that the caller's deadline came first.
CUT_OFF: Final = "CutOffError"


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often an actor may fail, and how long it waits after each time.

    Attributes:
        max_restarts: restarts in a window; the next fault suspends the actor.
        window_seconds: how long a restart counts.
        min_backoff_seconds: bound of the wait after the first fault of a window.
        max_backoff_seconds: bound of every wait.

    """

    max_restarts: int
    window_seconds: float
    min_backoff_seconds: float
    max_backoff_seconds: float


@dataclass(frozen=True, slots=True)
class Restart:
    """Run the next message after a wait.

    Attributes:
        wait_seconds: how long.
        faults_ms: when the faults of the window were, this one included, in Unix milliseconds.

    """

    wait_seconds: float
    faults_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Suspend:
    """Run nothing more until somebody says so.

    Attributes:
        faults: how many of them there were in the window.

    """

    faults: int


Ruling: TypeAlias = Restart | Suspend


def counts(error: ErrorRecord) -> bool:
    """Return whether *error* counts as a fault of the actor that raised it."""
    return error.kind in _ITS_OWN and error.type != CUT_OFF


def after_fault(policy: Restarts, faults_ms: tuple[int, ...], now_ms: int, chance: float) -> Ruling:
    """Decide about an actor that has failed.

    Args:
        policy: of its type.
        faults_ms: when it failed before, as far as `Restart` has kept that.
        now_ms: when it failed now.
        chance: uniform in [0, 1), for the jitter.

    """
    begin_ms = now_ms - round(policy.window_seconds * 1000)
    recent = (*(at_ms for at_ms in faults_ms if at_ms > begin_ms), now_ms)
    if len(recent) > policy.max_restarts:
        return Suspend(len(recent))
    doublings = min(len(recent) - 1, _DOUBLINGS_MAX)
    bound = min(policy.max_backoff_seconds, policy.min_backoff_seconds * 2.0**doublings)
    return Restart(chance * bound, recent)
