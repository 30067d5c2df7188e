"""A history: what callers called and learnt, what the actors hold in the end, what was left.

Times are nanoseconds of one clock that all callers share. Invariant: what the actors hold
is in the order in which their turns committed, so the state itself says how all turns of
an actor follow one another, and nothing has to be guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

#: No end yet, or none that anybody heard of.
NEVER: Final = 2**63


class Form(StrEnum):
    """How a call is made."""

    TELL = "tell"
    ASK = "ask"
    #: An ask that leaves the state as it is.
    READ = "read"


class Outcome(StrEnum):
    """What the caller knows when its call has ended."""

    #: The broker has it: it must take effect.
    CONFIRMED = "confirmed"
    #: The actor has answered: it has taken effect.
    ANSWERED = "answered"
    #: The actor has answered with an error: it must not have taken effect.
    REFUSED = "refused"
    #: Nothing: it may have taken effect, once.
    UNKNOWN = "unknown"
    #: The call never ended.
    OPEN = "open"


class Answer(NamedTuple):
    """What an actor says of one turn: how many it has taken with it, and its total before and after."""

    place: int
    before: int
    after: int


class Told(NamedTuple):
    """What a turn tells another actor.

    Attributes:
        name: of the message.
        actor: whom.
        in_order: whether its place among others from the same actor is promised.

    """

    name: str
    actor: str
    in_order: bool = False


@dataclass(slots=True)
class Call:
    """One call of one sender.

    Attributes:
        name: of the message; what its effect is known by.
        sender: who made it.
        number: its place among all calls of that sender.
        actor: its target.
        form: how it was made.
        outcome: what the caller learnt.
        amount: what it adds to the actor's total.
        began: when.
        ended: when, `NEVER` if it did not.
        deadline: when the caller must have known by; `NEVER` for none.
        answers: every answer it got: more than one if it was made several times under one key.
        in_order: whether its place among others of the sender to the same actor is promised.
        is_bad: whether the actor refuses it: it then takes no effect and, told, ends in the dead letters.
        tells: what its turn tells others.

    """

    name: str
    sender: str
    number: int
    actor: str
    form: Form = Form.TELL
    outcome: Outcome = Outcome.OPEN
    amount: int = 1
    began: int = 0
    ended: int = NEVER
    deadline: int = NEVER
    answers: Sequence[Answer] = ()
    in_order: bool = False
    is_bad: bool = False
    tells: Sequence[Told] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """What one actor holds in the end: the names of the messages it took, in order, and their total."""

    names: Sequence[str]
    total: int


class Claimed(NamedTuple):
    """A worker took an actor: under which epoch, and how many commits it found."""

    actor: str
    epoch: int
    version: int


class Committed(NamedTuple):
    """A worker was answered for a commit.

    Attributes:
        actor: whose.
        epoch: under which claim.
        version: the one the turn started from.
        nonce: of the commit.
        fenced: whether it was refused.

    """

    actor: str
    epoch: int
    version: int
    nonce: str
    fenced: bool


class Letter(NamedTuple):
    """A dead letter."""

    id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """Everything a run left behind.

    Attributes:
        calls: of all senders, each sender's in the order in which it made them.
        held: by actor.
        claims: that workers were granted; as many as were written down.
        commits: that workers were answered for; as many as were written down.
        letters: all there are, a copy of one included.
        left: what should be empty and is not, by name.
        faults: what was done to the processes, by kind.

    """

    calls: Sequence[Call]
    held: Mapping[str, Held]
    claims: Sequence[Claimed] = ()
    commits: Sequence[Committed] = ()
    letters: Sequence[Letter] = ()
    left: Mapping[str, int] = field(default_factory=dict[str, int])
    faults: Mapping[str, int] = field(default_factory=dict[str, int])


class Violation(NamedTuple):
    """A promise that was not kept."""

    kind: str
    text: str
