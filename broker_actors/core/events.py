"""What observers are told: facts about one turn, one message or one connection."""

from __future__ import annotations

from typing import TypeAlias

from broker_actors.core.address import Address
from broker_actors.core.light import dataclass


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A delivery left the worker.

    Attributes:
        address: the actor.
        method: the method called.
        message_id: what tells the envelope from all others of the actor.
        outcome: ok, business_error, retried, blocked, dead_lettered, fault, cancelled, suspended, duplicate,
            missed, conflict, expired or abandoned.
        attempt: which run it was, from 1.
        error: the error in one line; empty for none.
        seconds: from delivery to acknowledgement.

    """

    address: Address
    method: str
    message_id: str
    outcome: str
    attempt: int
    error: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A message in a mailbox could not be read and went to the dead letters."""

    mailbox: str
    error: str


@dataclass(frozen=True, slots=True)
class ReplyIgnored:
    """A reply arrived that nobody waits for: late, double or forged."""

    correlation_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReplyUndelivered:
    """A reply could not be delivered: the caller is gone, or the store did not answer."""

    address: Address
    reason: str


@dataclass(frozen=True, slots=True)
class ConsumerLost:
    """A mailbox's consumer ended without being asked to; it is being opened again."""

    mailbox: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConsumerOpened:
    """A mailbox is being consumed."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A mailbox was given to another worker, in order.

    Attributes:
        mailbox: which.
        seconds: from the decision until nothing of it ran here any more.

    """

    mailbox: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A connection to the broker or the store ended; reconnecting."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection to the broker or the store is open."""

    server: str


@dataclass(frozen=True, slots=True)
class SlowTurn:
    """A synchronous method held the event loop longer than it should."""

    address: Address
    method: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A caller gave up a method that runs in a thread, which nobody can stop: it goes on for nobody.

    What it returns is dropped. It keeps its place among the threads of the worker until it ends.
    """

    address: Address
    method: str


@dataclass(frozen=True, slots=True)
class StoreRolledBack:
    """The store has lost commits it had confirmed: a backup was restored, or a failover lost writes.

    The actor goes on from what the store has. What it did in the lost commits is undone in
    its state, their messages do not come again, and calls that are sent again may run twice. What it
    tells others from now on it sends as a new sender, for its numbers were used before.

    Attributes:
        address: the actor.
        version: commits this worker knows of.
        found: commits it had left when it was next run anew; 0 also if that cannot be told any more.

    """

    address: Address
    version: int
    found: int


@dataclass(frozen=True, slots=True)
class ActorSuspended:
    """An actor runs nothing any more until somebody resumes it: `broker-actors actors resume`.

    Attributes:
        address: the actor.
        cause: `faults` (it failed too often), `state_undecodable`, or `operator`.
        error: the last error in one line, or what the operator said.

    """

    address: Address
    cause: str
    error: str


@dataclass(frozen=True, slots=True)
class ActorResumed:
    """A worker took up an actor that was suspended because of its state, and can read it now.

    Attributes:
        address: the actor.
        cause: why it was suspended.

    """

    address: Address
    cause: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something failed in the background and will be tried again."""

    where: str
    error: str


Event: TypeAlias = (
    TurnEnded
    | Undecodable
    | ReplyIgnored
    | ReplyUndelivered
    | ConsumerLost
    | ConsumerOpened
    | HandedOver
    | ConnectionLost
    | Connected
    | SlowTurn
    | LeftBehind
    | StoreRolledBack
    | ActorSuspended
    | ActorResumed
    | Trouble
)
