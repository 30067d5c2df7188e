"""The turn protocol: everything that happens to one delivered envelope.

A turn is driven from outside. Feed it an event, carry out the command it returns, feed
it the event that results, until the command is final:

    --8<-- [start:diagram]
    Received > LookUp, or Run without a key, or Ack after the deadline
    Received > Charge                                   (a suspect: its last holder died with it in hand)
    Fresh > Charge
    Charge > Charged > Run
                     > Commit                           (it has crashed too often)
           > Lost > Abandon
    LookUp > Fresh > Run > Returned > Commit > Committed > Dispatch > Sent > Answer > Answered > Ack
                         > Raised > Pause > Paused > Run    (a short wait, in place)
                                  > Commit                  (the retry or dead letter is what is sent)
           > Duplicate > Answer
           > Conflict > Commit                              (answered like a business error)
           > Lost > Abandon
    Commit > Fenced > Abandon
           > Lost > Abandon
    Dispatch > Lost > Answer, or Abandon without an outbox
    Answer > Lost > Abandon   (a failure nobody could be told of, nor buried)
             > Refused > Answer
             > Refused > Pause     (without an outbox the run has failed, as if it had raised)
             > Refused > Commit    (the same)
             > Refused > Abandon   (and when that was a retry or dead letter, nothing is known)
    --8<-- [end:diagram]

Where nobody waits for an answer, `Ack` takes the place of `Answer`.

Four rules, checked by tests/unit/core/test_turn.py over every mix of outcomes:

1. A delivery is acknowledged only when its outcome is durable somewhere else.
2. Nothing leaves the actor (reply, tell, retry, dead letter) before its commit.
3. A failed run leaves nothing of its own behind: its state and its tells are dropped.
4. Fenced means unknown, not failed: neither a reply nor an error nor an ack leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import BrokerActorsError, ErrorRecord
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.reply import Reply
from broker_actors.core.verdict import (
    CRASHES_MAX,
    Failure,
    Settled,
    Terms,
    WaitHere,
    conflict,
    crash,
    crashed,
    judge,
)

# --- events: what the outside world reports ---------------------------------


@dataclass(frozen=True, slots=True)
class Received:
    """The broker delivered the envelope."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Fresh:
    """No record of this key."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The envelope has run; this is what it was answered."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key was used for another method or body."""

    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class Charged:
    """The run of a suspect is noted; so many before it began and never ended."""

    crashes: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Returned:
    """The method returned; its result is encoded."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Raised:
    """The method, or reading its arguments, raised.

    Attributes:
        error: what.
        now_ms: when, in Unix milliseconds.
        chance: uniform in [0, 1), for the jitter of the retry.

    """

    error: ErrorRecord
    now_ms: int
    chance: float


@dataclass(frozen=True, slots=True)
class Paused:
    """The short wait is over."""


@dataclass(frozen=True, slots=True)
class Committed:
    """State, dedup record and outbox are durable, in one write."""


@dataclass(frozen=True, slots=True)
class Fenced:
    """Somebody else holds the actor now; the write was refused."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The broker has confirmed everything the turn sends."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply was given to the caller's channel, or there is nobody to give it to."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something the turn sends cannot be sent, and waiting will not cure it. Attributes as of `Raised`."""

    error: ErrorRecord
    now_ms: int
    chance: float


@dataclass(frozen=True, slots=True)
class Lost:
    """The store or the broker did not answer in time: it may or may not have happened."""


Event: TypeAlias = (
    Received
    | Fresh
    | Duplicate
    | Conflict
    | Charged
    | Returned
    | Raised
    | Paused
    | Committed
    | Fenced
    | Sent
    | Answered
    | Refused
    | Lost
)

# --- commands: what the outside world must do --------------------------------


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the store for a record of the envelope's key."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Note that a suspect is about to run, so that a crash will be charged to it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run the method against the last committed state."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold the lane for a moment, then run again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Commit:
    """Make the outcome durable, in one fenced write.

    Attributes:
        keep: whether the run's own state and tells belong to it.
        reply: what a record of the key must replay; None if no record is to be kept.
        outgoing: what the protocol itself sends: a retry or a dead letter.

    """

    keep: bool
    reply: Reply | None
    outgoing: tuple[Outgoing, ...] = ()


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Publish what was committed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Give the caller the reply."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Ack:
    """Final. The broker may forget the delivery."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """Final. Drop the activation and give the mailbox back: whoever owns the actor answers."""


Command: TypeAlias = LookUp | Charge | Run | Pause | Commit | Dispatch | Answer | Ack | Abandon


#: The answers each command may get. The diagram above, the tests and the docs are
#: checked against this table, so change the protocol here first.
ANSWERS: Final[Mapping[type[Command], tuple[type[Event], ...]]] = MappingProxyType(
    {
        LookUp: (Fresh, Duplicate, Conflict, Lost),
        Charge: (Charged, Lost),
        Run: (Returned, Raised),
        Pause: (Paused,),
        Commit: (Committed, Fenced, Lost),
        Dispatch: (Sent, Refused, Lost),
        Answer: (Answered, Lost),
        Ack: (),
        Abandon: (),
    }
)


class ProtocolError(BrokerActorsError):
    """An event that does not answer the last command: a bug in the runtime, never a message's fault."""


class Turn:
    """The state machine of one turn. Pure: no I/O, no clock, no randomness."""

    __slots__ = ("_envelope", "_expected", "_history", "_last", "_settled", "_terms", "attempt", "error")

    def __init__(self, envelope: Envelope, terms: Terms) -> None:
        self._envelope = envelope
        self._terms = terms
        self._expected: tuple[type[Event], ...] = (Received,)
        self._last: type[Command] | None = None
        self._settled = Settled("ok")
        self._history = envelope.history
        #: Which run this is, from 1; grows with each run in place.
        self.attempt = envelope.attempt
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
            case Received(now_ms=now_ms):
                return self._received(now_ms)
            case Fresh() | Charged() | Paused():
                return self._towards_run(event)
            case Duplicate(reply=reply):
                self._settled = Settled("duplicate", reply)
                return self._answer()
            case Conflict(now_ms=now_ms):
                return self._settle(conflict(self._envelope, self._terms, now_ms))
            case Returned(reply=reply):
                self.error = None
                self._settled = Settled("ok", reply, record=True)
                return self._commit(keep=True)
            case Raised():
                return self._raised(event)
            case _:
                return self._from_commit_on(event)

    def _towards_run(self, event: Fresh | Charged | Paused) -> Command:
        match event:
            case Fresh():
                return self._begin()
            case Charged(crashes=crashes, now_ms=now_ms):
                return self._charged(crashes, now_ms)
            case Paused():
                self.attempt += 1
                return Run(self.attempt)

    def _from_commit_on(self, event: Committed | Fenced | Sent | Answered | Refused | Lost) -> Command:
        match event:
            case Committed():
                return Dispatch()
            case Sent():
                return self._answer()
            case Answered():
                return Ack(self._settled.outcome)
            case Fenced():
                return Abandon()
            case Refused():
                return self._refused(event)
            case Lost():
                return self._lost()

    def _received(self, now_ms: int) -> Command:
        if self._envelope.expired(now_ms):
            return Ack("expired")
        if self._envelope.key and self._terms.durable:
            return LookUp()
        return self._begin()

    def _begin(self) -> Command:
        return Charge() if self._terms.suspect else Run(self.attempt)

    def _charged(self, crashes: int, now_ms: int) -> Command:
        if crashes < CRASHES_MAX:
            return Run(self.attempt)
        self.error = crash(self._envelope, crashes)
        failure = Failure(self._envelope, self.attempt, self._history, self.error, now_ms)
        return self._settle(crashed(failure, self._terms))

    def _raised(self, event: Raised) -> Command:
        self.error = event.error
        failure = Failure(self._envelope, self.attempt, self._history, event.error, event.now_ms)
        verdict = judge(failure, self._terms, event.chance)
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
        return Commit(keep, record, settled.outgoing)

    def _answer(self) -> Command:
        if self._envelope.is_ask and self._settled.reply is not None:
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
