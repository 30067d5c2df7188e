"""What a turn and the outside world say to each other: events in, commands out.

Data only. Which event may answer which command is the table at the end; the order they
come in is `broker_actors.core.turn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final, TypeAlias

from broker_actors.core.errors import ErrorRecord
from broker_actors.core.light import dataclass
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.parking import Parked
from broker_actors.core.reply import Reply
from broker_actors.core.suspension import Suspension

# --- events: what the outside world reports ---------------------------------


@dataclass(frozen=True, slots=True)
class Received:
    """The broker delivered the envelope.

    Attributes:
        now_ms: when, in Unix milliseconds.
        given_up: whether its caller has said that nobody waits for it any more.
        is_next: whether its number comes next, and every one before it has come: then it is fresh.

    """

    now_ms: int
    given_up: bool = False
    is_next: bool = False


@dataclass(frozen=True, slots=True)
class Fresh:
    """No record of this key."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The envelope has run; this is what it was answered. None if its answer is none, given up or to come."""

    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key was used for another method or body."""

    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class Unknowable:
    """Nobody can tell whether the envelope has run: too much of its sender was missing, or was forgotten."""

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
    """State, dedup record and outbox are durable, in one write.

    Attributes:
        marks: by what each outbox item is numbered; see `outgoing.mark`. Empty for one without a number,
            None for one that has left the outbox since. Empty altogether if no item is numbered.
        pending: how many items the outbox holds; 0 where the commit neither added one nor asked.
        answered: whether the caller was given its reply in the same write.
        sends: False only if it is known that nothing of the turn is to be sent now.

    """

    marks: tuple[bytes | None, ...] = field(default=(), compare=False)
    pending: int = field(default=0, compare=False)
    answered: bool = field(default=False, compare=False)
    sends: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Fenced:
    """Somebody else holds the actor now, or the store is not where it was; the write was refused.

    Attributes:
        version: the version the store holds.

    """

    version: int = field(default=0, compare=False)


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
    | Unknowable
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
        answer: what duplicates of a numbered ask are answered; None if there is no answer yet.
        head: what stays at the head of the actor's parking, to run again; None if nothing does.
        suspension: why the actor must not run from now on; None for no change.
        unrun: whether this very attempt is still to come, so that it must not count as settled.

    """

    keep: bool
    reply: Reply | None
    outgoing: tuple[Outgoing, ...] = ()
    answer: Reply | None = None
    head: Parked | None = None
    suspension: Suspension | None = None
    unrun: bool = False


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


# What carries nothing is made once: every turn meets nearly all of these.
FRESH: Final = Fresh()
#: Committed, and nothing is to be sent; by whether the caller was answered.
SENDS_NOTHING: Final = (Committed(sends=False), Committed(answered=True, sends=False))
SENT: Final = Sent()
ANSWERED: Final = Answered()
LOOK_UP: Final = LookUp()
DISPATCH: Final = Dispatch()

#: The answers each command may get. The diagram above, the tests and the docs are
#: checked against this table, so change the protocol here first.
ANSWERS: Final[Mapping[type[Command], tuple[type[Event], ...]]] = MappingProxyType(
    {
        LookUp: (Fresh, Duplicate, Conflict, Unknowable, Lost),
        Charge: (Charged, Lost),
        Run: (Returned, Raised, Fenced, Lost),
        Pause: (Paused,),
        Commit: (Committed, Fenced, Lost),
        Dispatch: (Sent, Refused, Lost),
        Answer: (Answered, Lost),
        Ack: (),
        Abandon: (),
    }
)
