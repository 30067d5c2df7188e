"""What a turn asks the store to make durable: the claim it holds, and everything it changes.

All of a `Commit` happens or nothing of it; `ports.store` says when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.light import dataclass, field
from broker_actors.core.past import Resumption
from broker_actors.core.reply import Reply
from broker_actors.core.suspension import Suspension
from broker_actors.ports.outbox_numbers import OutboxNumbers
from broker_actors.ports.parking import ParkingChange, ParkingSize
from broker_actors.ports.reminders import ReminderChange
from broker_actors.ports.sections import SectionMark
from broker_actors.ports.suspensions import SuspensionChange

#: Senders of one actor that a claim returns; of more than these it returns some.
SENDERS_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class OutboxKey:
    """Which outbox item: the version its commit made, and its `item_index` there."""

    version: int
    index: int


_NOTHING_LEFT: Final[Mapping[OutboxKey, bytes]] = MappingProxyType({})
_NOBODY: Final[Mapping[str, Accepted]] = MappingProxyType({})
_NOTHING_PARKED: Final = ParkingSize()


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to commit for an actor, until somebody else claims it.

    Attributes:
        address: the actor.
        epoch: the fencing token; each claim has a higher one.
        nonce: who claimed, so that two claims of one epoch still differ.
        version: commits so far.
        state: the last committed state; None if it never had one.
        outbox: what earlier commits left undispatched, in order.
        senders: by sender, what was accepted of it; all there are, or some.
        has_all_senders: whether these are all.
        forgotten_ms: what was accepted up to then may have been forgotten, Unix milliseconds.
        parked: how much its parking holds.
        suspension: why it must not run; None if it may.
        resumptions: how the newest runs of the store found the actor, this claim included.
    """

    address: Address
    epoch: int
    nonce: str
    version: int
    state: bytes | None = None
    outbox: Mapping[OutboxKey, bytes] = field(default_factory=lambda: _NOTHING_LEFT)
    senders: Mapping[str, Accepted] = field(default_factory=lambda: _NOBODY)
    has_all_senders: bool = True
    forgotten_ms: int = 0
    parked: ParkingSize = _NOTHING_PARKED
    suspension: Suspension | None = None
    resumptions: tuple[Resumption, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyedRecord:
    """The outcome of a keyed envelope, replayed to its duplicates.

    Attributes:
        key: the idempotency key, scoped to the actor.
        digest: what another envelope with this key must have in common.
        reply: what it was answered.
        retention_seconds: how long the record is kept.
        replaces: whether it takes the place of one with another digest, which else fences its commit.
    """

    key: str
    digest: bytes
    reply: Reply
    retention_seconds: int
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Acceptance:
    """That a numbered envelope was accepted.

    Attributes:
        sender: who numbered it.
        seq: its number.
        accepted: what is accepted of that sender, this number included.
        reply: what its duplicates are answered; None for nothing.
        retention_seconds: how long replies are kept after the last one of that sender.
        dropped: replies to forget, from this number up to and without that one.
        forget: other senders to forget, unheard of for long.
        forgotten_ms: when the last one of all those forgotten was heard of, Unix milliseconds.
    """

    sender: str
    seq: int
    accepted: Accepted
    reply: Reply | None = None
    retention_seconds: int = 86_400
    dropped: tuple[int, int] = (0, 0)
    forget: tuple[str, ...] = ()
    forgotten_ms: int = 0


@dataclass(frozen=True, slots=True)
class CallerReply:
    """A reply for whom a caller waits, and where.

    Attributes:
        reply_to: the caller's reply channel.
        correlation_id: names the ask there.
        reply: what it is answered.
    """

    reply_to: str
    correlation_id: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Commit:
    """What one turn asks the store to make durable, all or nothing.

    Attributes:
        claim: under which claim.
        nonce: names this commit, so that sending it again changes nothing.
        state: the new state; None if unchanged.
        record: the dedup record; None for an envelope without a key.
        outbox: encoded outgoing items, in order.
        acceptance: of a numbered envelope; None for another.
        parking: what happens to the actor's parking; None for nothing.
        suspension: whether the actor is suspended from now on; None for no change.
        section: how far an interleaved turn is; None for no news of that.
        numbers: how outbox items are numbered; None if none is.
        reminders: what becomes of the actor's reminders.
        caller: to be given its reply in the same write, if this store can; None for nobody.
        since: how many versions were made under the claim before.
        counts: whether it is to be said how many items the outbox holds, although none is added.
    """

    claim: Claim
    nonce: str
    state: bytes | None = None
    record: KeyedRecord | None = None
    outbox: Sequence[bytes] = ()
    acceptance: Acceptance | None = None
    parking: ParkingChange | None = None
    suspension: SuspensionChange | None = None
    section: SectionMark | None = None
    numbers: OutboxNumbers | None = None
    reminders: Sequence[ReminderChange] = ()
    caller: CallerReply | None = None
    since: int = 0
    counts: bool = True

    @property
    def version(self) -> int:
        """The version the turn started from."""
        return self.claim.version + self.since

    @property
    def writes(self) -> bool:
        """Whether there is anything to write; it is a fence check otherwise."""
        # Nearly all write a state, or at least that they have run.
        if self.state is not None or self.acceptance is not None:
            return True
        seldom = (self.record, self.numbers, self.parking, self.suspension, self.section)
        return bool(self.outbox or self.reminders) or seldom.count(None) < len(seldom)
