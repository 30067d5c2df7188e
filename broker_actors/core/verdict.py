"""What becomes of a run that did not succeed: wait here, try again later, or end.

Facts in, decision out, nothing performed. Business errors are answered and never
retried; faults are retried by policy; what ends goes back to whoever waits for it, or to
the dead letters when nobody does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from broker_actors.core import dead, history
from broker_actors.core.dead import Reason
from broker_actors.core.envelope import JSON, MSGPACK, Envelope, to_wire
from broker_actors.core.errors import ErrorRecord, IdempotencyConflictError, describe
from broker_actors.core.light import dataclass
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.parking import Parked
from broker_actors.core.reply import Reply, of_error
from broker_actors.core.retry import UNKNOWN_TARGET, Retry
from broker_actors.core.supervision import Restarts
from broker_actors.core.suspension import Suspension

#: Faults that a worker of another release may not have: tried for as long as a rolling deploy may take.
ELSEWHERE_KINDS: Final = frozenset({"UnknownMethodError", "NewerStateError"})
#: Waits shorter than this happen in place, so that order is kept; longer ones in the broker.
WAIT_HERE_SECONDS_MAX: Final = 1.0
#: Runs of one suspect that may begin and never end; the next one is not begun.
CRASHES_MAX: Final = 5

BUSINESS_KINDS: Final = frozenset(
    {"BusinessError", "InvalidArgumentsError", "IdempotencyConflictError", "CallCycleError"}
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a turn is judged by.

    Attributes:
        retry: how often and how long faults are retried.
        durable: whether outcomes are committed to the store (`effectively_once`).
        mailbox: where the envelope came from, for its dead letter.
        suspect: whether the last worker that held the envelope died with it in hand.
        blocks: whether a failed envelope holds up those behind it until it succeeds or is buried.
        parked: whether the envelope is the head of the actor's parking.
        overflows: whether it should have been parked, and there was no room.
        parks: whether the envelope may stay at the head of the actor's parking.
        suspension: why the actor must not run; None if it may.
        restarts: how the actor's faults are counted; None if they are not.
        faults_ms: when the actor failed before, as far as that counts.
        unreadable: why the entry cannot be read for which the envelope stands; None for one that is itself.

    """

    retry: Retry
    durable: bool
    mailbox: str = ""
    suspect: bool = False
    blocks: bool = False
    parked: bool = False
    overflows: bool = False
    parks: bool = False
    suspension: Suspension | None = None
    restarts: Restarts | None = None
    faults_ms: tuple[int, ...] = ()
    unreadable: ErrorRecord | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that raised.

    Attributes:
        envelope: what ran.
        attempt: which run it was, from 1.
        history: of the runs before it.
        error: what it raised.
        now_ms: when, in Unix milliseconds.

    """

    envelope: Envelope
    attempt: int
    history: str
    error: ErrorRecord
    now_ms: int


@dataclass(frozen=True, slots=True)
class WaitHere:
    """Hold the lane this long, then run again with this history."""

    seconds: float
    history: str


@dataclass(frozen=True, slots=True)
class Settled:
    """How the turn ends.

    Attributes:
        outcome: for the observer; see `events.TurnEnded`.
        reply: what the caller is answered; None while a retry is still to come.
        record: whether a keyed envelope's duplicates are to be answered the same.
        outgoing: the retry or dead letter to send.
        head: what is to run again from the head of the actor's parking.
        suspension: why the actor must not run from now on; None for no change.
        unrun: whether this very attempt is still to come, for it did not run.

    """

    outcome: str
    reply: Reply | None = None
    record: bool = False
    outgoing: tuple[Outgoing, ...] = ()
    head: Parked | None = None
    suspension: Suspension | None = None
    unrun: bool = False


#: Why an envelope that is not run ends, by its error.
_BURIED: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        "CrashLoopError": Reason.CRASHED,
        "DedupWindowError": Reason.DEDUP_WINDOW,
        "ParkingFullError": Reason.PARKED_FULL,
        "ParkedUndecodableError": Reason.UNDECODABLE,
    }
)

Verdict: TypeAlias = WaitHere | Settled


def judge(failure: Failure, terms: Terms, chance: float, rest_seconds: float = 0.0) -> Verdict:
    """Decide about a run that raised.

    Args:
        failure: the facts.
        terms: the actor type's policy.
        chance: uniform in [0, 1), for the jitter.
        rest_seconds: how long the actor must not run anything.

    """
    error, envelope = failure.error, failure.envelope
    if error.kind in BUSINESS_KINDS:
        # Recorded like a result: the actor has decided, and decides the same for every duplicate.
        return ended(failure, terms, "business_error", Reason.REJECTED, record=True)
    if error.kind == "CallCancelledError":
        # Nobody waits for an answer, and nobody misses what was not done.
        return Settled("cancelled")
    policy = UNKNOWN_TARGET if error.kind in ELSEWHERE_KINDS else terms.retry
    wait = policy.wait_seconds(failure.attempt, recoverable=error.recoverable, chance=chance)
    wait = None if wait is None else max(wait, rest_seconds)
    # Nobody would run it after its deadline: the caller is told now, or somebody finds the dead letter.
    if wait is None or envelope.expired(failure.now_ms + _ms(wait)):
        outcome = "cancelled" if error.kind == "StreamCancelledError" else "fault"
        return ended(failure, terms, outcome, _reason(error))
    past = history.appended(failure.history, failure.attempt, error, failure.now_ms)
    if wait < WAIT_HERE_SECONDS_MAX:
        return WaitHere(wait, past)
    if terms.blocks:
        again = replace(envelope, attempt=failure.attempt + 1, history=past)
        return Settled("blocked", head=Parked(again, failure.now_ms + _ms(wait)))
    retry = to_wire(envelope.again(failure.attempt + 1, past))
    return Settled("retried", outgoing=(Outgoing(Destination.DELAY, retry, failure.now_ms + _ms(wait)),))


def conflict(envelope: Envelope, terms: Terms, now_ms: int) -> Settled:
    """Settle an envelope whose key was used for another method or body."""
    text = f"idempotency key {envelope.key!r} was used for another call to {envelope.address}: use a new key"
    error = describe(IdempotencyConflictError("idempotency_conflict", text))
    failure = Failure(envelope, envelope.attempt, envelope.history, error, now_ms)
    return ended(failure, terms, "conflict", Reason.REJECTED)


def crash(envelope: Envelope, crashes: int) -> ErrorRecord:
    """Return the error of an envelope whose runs have taken *crashes* workers down with them."""
    text = (
        f"{crashes} workers died while they ran this message to {envelope.address}: "
        "look at what they logged last, and at their memory, before it is redriven"
    )
    return ErrorRecord("SystemFaultError", "CrashLoopError", text)


def unknowable(envelope: Envelope) -> ErrorRecord:
    """Return the error of an envelope of which nobody can tell whether it has run."""
    text = (
        f"number {envelope.seq} of sender {envelope.sender} to {envelope.address}: what was accepted of this "
        "sender is no longer known, so it may have run; redrive it if running it twice does no harm"
    )
    return ErrorRecord("SystemFaultError", "DedupWindowError", text)


def buried(failure: Failure, terms: Terms) -> Settled:
    """Settle what is not run: its letter is kept also when somebody waits, for an operator must see it."""
    reason = _BURIED[failure.error.type]
    settled = ended(failure, terms, "dead_lettered", reason)
    letter = dead.of_envelope(
        failure.envelope, reason, failure.error, origin=terms.mailbox, now_ms=failure.now_ms
    )
    if terms.unreadable is not None:
        # It calls no method, so nobody can redrive it: it is kept to be looked at.
        letter = replace(letter, message=replace(letter.message, type=""))
    return replace(settled, outgoing=(letter,))


def ended(
    failure: Failure,
    terms: Terms,
    outcome: str,
    reason: Reason = Reason.FAILED,
    *,
    record: bool = False,
) -> Settled:
    """Settle a run that is not tried again: whoever waits is told, and what nobody waits for is kept."""
    envelope = replace(failure.envelope, attempt=failure.attempt, history=failure.history)
    # A body nobody can read may have an encoding nobody can write.
    known = envelope.content_type if envelope.content_type in {JSON, MSGPACK} else MSGPACK
    reply = of_error(failure.error, known)
    if envelope.is_ask and failure.error.kind != "UndecodableError":
        return Settled(outcome, reply, record=record)
    letter = dead.of_envelope(envelope, reason, failure.error, origin=terms.mailbox, now_ms=failure.now_ms)
    return Settled("dead_lettered", reply, record=record, outgoing=(letter,))


def _reason(error: ErrorRecord) -> Reason:
    match error.kind:
        case "UndecodableError" | "StateUndecodableError":
            return Reason.UNDECODABLE
        case "NewerStateError":
            return Reason.NEWER_STATE
        case "UnknownMethodError":
            return Reason.UNKNOWN_TARGET
        case _:
            return Reason.FAILED


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
