"""What becomes of a message whose actor is suspended, or is by what this message does.

Facts in, decision out. Asks are told at once. A tell that may be parked stays, or lines up,
at its place in the parking and runs when the actor is resumed; one that may not, because it
runs beside the lane, comes back after a while. Invariant: nothing is given up that would
have been tried again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from broker_actors.core import history
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import ActorSuspendedError, ErrorRecord, describe
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.parking import Parked
from broker_actors.core.supervision import Restart, Restarts, after_fault, counts
from broker_actors.core.suspension import Cause, Suspension
from broker_actors.core.verdict import Failure, Settled, Terms, Verdict, WaitHere, ended, judge

#: How long a message waits that cannot be parked, before it looks again whether the actor is suspended.
COMES_BACK_SECONDS: Final = 60
#: How long an actor whose state nobody could read waits for somebody who can.
READ_AGAIN_SECONDS: Final = 60
#: Outcomes of a run that is to be tried again.
_PENDING: Final = frozenset({"retried", "blocked"})


def supervise(
    failure: Failure, terms: Terms, faults_ms: tuple[int, ...], chance: float
) -> tuple[Verdict, Restart]:
    """Decide about a run that raised, and about the actor it raised in.

    Args:
        failure: the facts.
        terms: the actor type's policy.
        faults_ms: when the actor failed before.
        chance: uniform in [0, 1), for the jitter of both waits.

    Returns:
        What becomes of the message, and how long the actor rests after that.

    """
    calm = Restart(0.0, faults_ms)
    if failure.error.kind == "StateUndecodableError":
        why = Suspension(Cause.STATE_UNDECODABLE, history.summary(failure.error), failure.now_ms)
        return _unrun(failure, terms, why), calm
    if terms.restarts is None or not counts(failure.error):
        return judge(failure, terms, chance), calm
    ruling = after_fault(terms.restarts, faults_ms, failure.now_ms, chance)
    if isinstance(ruling, Restart):
        return judge(failure, terms, chance, ruling.wait_seconds), ruling
    error = _too_often(ruling.faults, terms.restarts, history.summary(failure.error))
    suspension = Suspension(Cause.FAULTS, error, failure.now_ms)
    return _last(failure, terms, suspension, judge(failure, terms, chance)), Restart(0.0, ())


def refusal(envelope: Envelope, suspension: Suspension) -> ErrorRecord:
    """Return the error of *envelope*, whose actor is suspended."""
    address = envelope.address
    text = (
        f"{address} is suspended ({suspension.cause}: {suspension.error}), and {envelope.method} did not "
        f"run: mend the cause, then broker-actors actors resume {address.type} {address.id}"
    )
    return describe(ActorSuspendedError(text))


def refused(failure: Failure, terms: Terms) -> Settled:
    """Settle an envelope whose actor is suspended, and which cannot be parked; its error is the `refusal`."""
    return ended(failure, terms, "suspended") if failure.envelope.is_ask else _comes_back(failure)


def due_ms(suspension: Suspension, now_ms: int, never_ms: int) -> int:
    """Return when the parking of a suspended actor is to be looked after, by the clock of *now_ms*."""
    if suspension.cause == Cause.STATE_UNDECODABLE:
        return now_ms + READ_AGAIN_SECONDS * 1000
    return never_ms


def _unrun(failure: Failure, terms: Terms, suspension: Suspension) -> Settled:
    """Settle a message that has not run at all, for its actor could not be built."""
    if failure.envelope.is_ask:
        return replace(ended(failure, terms, "suspended"), suspension=suspension)
    if not terms.parks:
        return replace(_comes_back(failure), suspension=suspension)
    again = replace(failure.envelope, attempt=failure.attempt, history=failure.history)
    return Settled("suspended", head=Parked(again), suspension=suspension, unrun=True)


def _last(failure: Failure, terms: Terms, suspension: Suspension, verdict: Verdict) -> Settled:
    """Settle the run that was one fault too many: it is tried again only once the actor is resumed."""
    if not isinstance(verdict, WaitHere) and verdict.outcome not in _PENDING:
        return replace(verdict, suspension=suspension)
    if failure.envelope.is_ask:
        return replace(ended(failure, terms, "fault"), suspension=suspension)
    past = history.appended(failure.history, failure.attempt, failure.error, failure.now_ms)
    again = replace(failure.envelope, attempt=failure.attempt + 1, history=past)
    return Settled("suspended", head=Parked(again), suspension=suspension)


def _comes_back(failure: Failure) -> Settled:
    again = to_wire(failure.envelope.again(failure.attempt, failure.history))
    at_ms = failure.now_ms + COMES_BACK_SECONDS * 1000
    return Settled("suspended", outgoing=(Outgoing(Destination.DELAY, again, at_ms),), unrun=True)


def _too_often(faults: int, restarts: Restarts, error: str) -> str:
    times = "once" if faults == 1 else f"{faults} times within {restarts.window_seconds:g} s"
    return f"failed {times}, the last time with {error}"
