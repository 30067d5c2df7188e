"""The turn protocol: everything that happens to one delivered envelope.

A turn is driven from outside. Feed it an event, carry out the command it returns, feed
it the event that results, until the command is final:

    --8<-- [start:diagram]
    Received > LookUp, or Run if that would tell nothing, or Ack after the deadline or if it was given up
    Received > Commit                       (a parked one nobody waits for, or can read, or one too many)
    Received > Charge                                   (a suspect: its last holder died with it in hand)
    Fresh > Charge
    Fresh > Commit                                      (no room to park it, or its actor is suspended)
    Charge > Charged > Run
                     > Commit                           (it has crashed too often)
           > Lost > Abandon
    LookUp > Fresh > Run > Returned > Commit > Committed > Dispatch > Sent > Answer > Answered > Ack
                         > Raised > Pause > Paused > Run    (a short wait, in place)
                                  > Commit                  (the retry or dead letter is what is sent)
                         > Fenced > Abandon                 (a section of its own, or a chunk, was)
                         > Lost > Abandon
           > Duplicate > Answer, or Commit              (a parked one leaves its parking)
           > Conflict > Commit                              (answered like a business error)
           > Unknowable > Commit                            (kept as a dead letter)
           > Lost > Abandon
    Commit > Committed > Answer                         (nothing is to be sent)
           > Fenced > Abandon
           > Lost > Abandon
    Dispatch > Lost > Answer, or Abandon without an outbox
    Answer > Lost > Abandon   (a failure nobody could be told of, nor buried)
             > Refused > Answer
             > Refused > Pause     (without an outbox the run has failed, as if it had raised)
             > Refused > Commit    (the same)
             > Refused > Abandon   (and when that was a retry or dead letter, nothing is known)
    --8<-- [end:diagram]

Where nobody waits for an answer, or whoever did has it since the commit, `Ack` takes the place of `Answer`.

Four rules, checked by tests/unit/core/test_turn.py over every mix of outcomes:

1. A delivery is acknowledged only when its outcome is durable somewhere else.
2. Nothing leaves the actor (reply, tell, retry, dead letter) before its commit.
3. A failed run leaves nothing of its own behind: its state and its tells are dropped.
4. Fenced means unknown, not failed: neither a reply nor an error nor an ack leaves.
"""

from __future__ import annotations

from typing import Final

from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import BrokerActorsError, ErrorRecord
from broker_actors.core.parking import full
from broker_actors.core.protocol import (
    ANSWERED,
    ANSWERS,
    DISPATCH,
    FRESH,
    LOOK_UP,
    SENDS_NOTHING,
    SENT,
    Abandon,
    Ack,
    Answer,
    Answered,
    Charge,
    Charged,
    Command,
    Commit,
    Committed,
    Conflict,
    Dispatch,
    Duplicate,
    Event,
    Fenced,
    Fresh,
    LookUp,
    Lost,
    Pause,
    Paused,
    Raised,
    Received,
    Refused,
    Returned,
    Run,
    Sent,
    Unknowable,
)
from broker_actors.core.supervision import Restart
from broker_actors.core.suspending import refusal, refused, supervise
from broker_actors.core.suspension import Suspension
from broker_actors.core.verdict import (
    CRASHES_MAX,
    Failure,
    Settled,
    Terms,
    WaitHere,
    buried,
    conflict,
    crash,
    unknowable,
)

__all__ = [
    "ANSWERED",
    "ANSWERS",
    "FRESH",
    "SENDS_NOTHING",
    "SENT",
    "Abandon",
    "Ack",
    "Answer",
    "Answered",
    "Charge",
    "Charged",
    "Command",
    "Commit",
    "Committed",
    "Conflict",
    "Dispatch",
    "Duplicate",
    "Event",
    "Fenced",
    "Fresh",
    "LookUp",
    "Lost",
    "Pause",
    "Paused",
    "ProtocolError",
    "Raised",
    "Received",
    "Refused",
    "Returned",
    "Run",
    "Sent",
    "Turn",
    "Unknowable",
]


#: How a turn has ended until something is known of it.
_OK: Final = Settled("ok")


class ProtocolError(BrokerActorsError):
    """An event that does not answer the last command: a bug in the runtime, never a message's fault."""


class Turn:
    """The state machine of one turn. Pure: no I/O, no clock, no randomness."""

    __slots__ = (
        "_envelope",
        "_expected",
        "_history",
        "_is_answered",
        "_last",
        "_received_ms",
        "_settled",
        "_terms",
        "attempt",
        "error",
        "rest",
    )

    def __init__(self, envelope: Envelope, terms: Terms) -> None:
        self._envelope = envelope
        self._terms = terms
        self._expected: tuple[type[Event], ...] = (Received,)
        self._last: type[Command] | None = None
        self._settled = _OK
        self._received_ms = 0
        #: Whether the caller has its reply since the commit.
        self._is_answered = False
        self._history = envelope.history
        #: Which run this is, from 1; grows with each run in place.
        self.attempt = envelope.attempt
        #: If the turn failed: how long the actor rests after it, and when it failed, this turn included.
        self.rest: Restart | None = None
        #: What the last run failed with; None if it did not.
        self.error: ErrorRecord | None = None

    def next(self, event: Event) -> Command:
        """Return the command that *event* calls for.

        Raises:
            ProtocolError: the event does not answer the last command.

        """
        # Not an assert: this must hold under `python -O` too.
        if type(event) not in self._expected:
            text = f"{type(event).__name__} where {[e.__name__ for e in self._expected]} was expected"
            raise ProtocolError(text)
        command = self._command_for(event)
        self._last = type(command)
        self._expected = ANSWERS[self._last]
        return command

    def _command_for(self, event: Event) -> Command:
        match event:
            # First what every message meets.
            case Received():
                return self._received(event)
            case Fresh():
                return self._begin()
            case Returned(reply=reply):
                self.error = None
                self._settled = Settled("ok", reply, record=True)
                return self._commit(keep=True)
            case Committed(answered=answered, sends=sends):
                self._is_answered = answered
                return DISPATCH if sends else self._answer()
            case Sent():
                return self._answer()
            case Answered():
                return Ack(self._settled.outcome)
            case Duplicate() | Conflict() | Unknowable() | Charged() | Paused():
                return self._before_run(event)
            case _:
                return self._failed(event)

    def _before_run(self, event: Duplicate | Conflict | Unknowable | Charged | Paused) -> Command:
        match event:
            case Duplicate(reply=reply):
                return self._over(Settled("duplicate", reply))
            case Conflict(now_ms=now_ms):
                return self._settle(conflict(self._envelope, self._terms, now_ms))
            case Unknowable(now_ms=now_ms):
                return self._buried(unknowable(self._envelope), now_ms)
            case Charged(crashes=crashes, now_ms=now_ms):
                return self._charged(crashes, now_ms)
            case Paused():
                self.attempt += 1
                return Run(self.attempt)

    def _failed(self, event: Raised | Fenced | Refused | Lost) -> Command:
        match event:
            case Raised():
                return self._raised(event)
            case Fenced():
                return Abandon()
            case Refused():
                return self._refused(event)
            case Lost():
                return self._lost()

    def _received(self, event: Received) -> Command:
        self._received_ms = event.now_ms
        if self._terms.unreadable is not None:
            return self._buried(self._terms.unreadable, event.now_ms)
        if self._envelope.expired(event.now_ms):
            return self._over(Settled("expired"))
        if event.given_up:
            return self._over(Settled("cancelled"))
        # The number of what is parked was accepted when it was parked.
        seq = 0 if self._terms.parked else self._envelope.seq
        if self._terms.durable and (self._envelope.key or (seq and not event.is_next)):
            return LOOK_UP
        return self._begin()

    def _over(self, settled: Settled) -> Command:
        """End what there is nothing to run of: what is parked leaves its parking by a commit."""
        self._settled = settled
        if not self._terms.parked:
            return self._answer()
        return Commit(keep=False, reply=None, answer=settled.reply if self._envelope.is_ask else None)

    def _begin(self) -> Command:
        if self._terms.overflows:
            return self._buried(full(self._envelope), self._received_ms)
        if self._terms.suspension is not None:
            return self._refuse(self._terms.suspension)
        return Charge() if self._terms.suspect else Run(self.attempt)

    def _refuse(self, suspension: Suspension) -> Command:
        self.error = refusal(self._envelope, suspension)
        failure = Failure(self._envelope, self.attempt, self._history, self.error, self._received_ms)
        return self._settle(refused(failure, self._terms))

    def _charged(self, crashes: int, now_ms: int) -> Command:
        if crashes < CRASHES_MAX:
            return Run(self.attempt)
        return self._buried(crash(self._envelope, crashes), now_ms)

    def _buried(self, error: ErrorRecord, now_ms: int) -> Command:
        self.error = error
        failure = Failure(self._envelope, self.attempt, self._history, error, now_ms)
        return self._settle(buried(failure, self._terms))

    def _raised(self, event: Raised) -> Command:
        self.error = event.error
        failure = Failure(self._envelope, self.attempt, self._history, event.error, event.now_ms)
        faults_ms = self._terms.faults_ms if self.rest is None else self.rest.faults_ms
        verdict, self.rest = supervise(failure, self._terms, faults_ms, event.chance)
        if isinstance(verdict, WaitHere):
            self._history = verdict.history
            return Pause(verdict.seconds)
        return self._settle(verdict)

    def _settle(self, verdict: Settled) -> Command:
        self._settled = verdict
        return self._commit(keep=False)

    def _commit(self, *, keep: bool) -> Command:
        settled = self._settled
        record = settled.reply if settled.record and self._envelope.key else None
        answer = settled.reply if self._envelope.is_ask else None
        return Commit(keep, record, settled.outgoing, answer, settled.head, settled.suspension, settled.unrun)

    def _answer(self) -> Command:
        if self._envelope.is_ask and self._settled.reply is not None and not self._is_answered:
            return Answer(self._settled.reply)
        return Ack(self._settled.outcome)

    def _refused(self, event: Refused) -> Command:
        # With an outbox the relay tries again, and says so; without one the run has failed.
        if self._terms.durable:
            return self._answer()
        if self._settled.outcome != "ok":
            return Abandon()
        return self._raised(Raised(event.error, event.now_ms, event.chance))

    def _lost(self) -> Command:
        # A dispatch that got no confirm is not lost where an outbox holds it: the relay sends it again.
        if self._last is Dispatch and self._terms.durable:
            return self._answer()
        return Abandon()
