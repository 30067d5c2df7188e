"""Where the turns of one activation become durable: a claim in the store, or nowhere (`no_ledger`).

Invariant: after `commit` returned `Committed`, the ledger's claim is at the version the
store holds; after anything else the ledger must not be used again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import StoreRolledBack
from broker_actors.core.light import dataclass
from broker_actors.core.outgoing import Outgoing, pack
from broker_actors.core.parking import Parked
from broker_actors.core.parking import pack as pack_parked
from broker_actors.core.reply import Reply
from broker_actors.core.suspending import due_ms
from broker_actors.core.turn import Commit as Decided
from broker_actors.core.turn import Committed, Conflict, Duplicate, Fenced, Fresh, Unknowable
from broker_actors.core.unanswered import to_send
from broker_actors.ports.commit import CallerReply, Claim, Commit, KeyedRecord, OutboxKey
from broker_actors.ports.outbox_numbers import OutboxNumbers, item_index
from broker_actors.ports.parking import NEVER_MS, ParkingChange
from broker_actors.ports.reminders import ReminderChange
from broker_actors.ports.sections import SectionMark
from broker_actors.ports.suspensions import SuspensionChange
from broker_actors.runtime.numbers import Numbers
from broker_actors.runtime.outbox import Outbox, StoreOutbox
from broker_actors.runtime.parking import ParkedBytes, Parking
from broker_actors.runtime.services import Services

#: Enough to tell the incarnations of one actor apart, for ever.
INCARNATION_CHARACTERS: Final = 16

Found = Fresh | Duplicate | Conflict | Unknowable


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn leaves behind.

    Attributes:
        envelope: what ran, or was settled without running.
        decided: what becomes of it.
        state: the new state; None if unchanged.
        retention_seconds: how long replies are kept.
        in_lane: whether the turn is that of the lane, and not beside it: then it may be that of the parking.
        outbox: encoded outgoing items, in order.
        targets: whom each of the items is for; empty for one that gets no number.
        reminders: what becomes of the actor's reminders.
        section: what is to be remembered of the turn's sections; None for nothing new.
        is_last: whether nothing is left to do after the commit than to answer.

    """

    envelope: Envelope
    decided: Decided
    state: bytes | None
    retention_seconds: int
    in_lane: bool
    outbox: Sequence[bytes] = ()
    targets: Sequence[str] = ()
    reminders: Sequence[ReminderChange] = ()
    section: SectionMark | None = None
    is_last: bool = False


class Ledger(Protocol):
    """Remembers what an actor did."""

    @property
    def epoch(self) -> int:
        """The fencing token of this activation; 0 without a store."""
        ...

    @property
    def nonce(self) -> str:
        """What tells the claim of this activation from every other; empty without a store."""
        ...

    @property
    def version(self) -> int:
        """How many commits this activation knows of; 0 without a store."""
        ...

    @property
    def rolled_back(self) -> bool:
        """Whether it was said that the store had lost commits this activation knows of."""
        ...

    @property
    def outbox(self) -> Outbox:
        """Where what is committed goes."""
        ...

    @property
    def parking(self) -> Parking | None:
        """What this activation has parked; None without a store."""
        ...

    def park(self, envelopes: Sequence[Envelope]) -> Awaitable[list[Envelope] | Fenced]:
        """Park *envelopes*, beneath them what runs, as far as there is room.

        Returns:
            What was parked: that which runs, if it was not, and those of *envelopes* that are new.

        """
        ...

    def is_next(self, envelope: Envelope) -> bool:
        """Return whether the numbered *envelope* comes next, and every number before it has come."""
        ...

    def look_up(self, envelope: Envelope) -> Awaitable[Found]:
        """Return whether the keyed or numbered *envelope* has run."""
        ...

    def commit(self, outcome: Outcome) -> Awaitable[Committed | Fenced]:
        """Make a turn durable."""
        ...

    async def answered(self) -> None:
        """Take note that whoever asked for the last turn of the lane has its reply."""
        ...

    async def sections(self, turn: str) -> int:
        """Return how many sections of *turn*, which is not over, are durable."""
        ...

    def commit_section(
        self, mark: SectionMark, state: bytes | None, tells: Sequence[Outgoing]
    ) -> Awaitable[Committed | Fenced]:
        """Make a section durable: its number, its state if not None, and what it sends."""
        ...

    def close(self, envelope: Envelope) -> None:
        """Take note that *envelope* will never run."""
        ...

    def compare(self, found: int) -> None:
        """Take note of how many commits the store knows of: it may have lost some."""
        ...


class StoreLedger:
    """`effectively_once`: every turn is one fenced commit."""

    __slots__ = (
        "_claim",
        "_commits",
        "_numbers",
        "_services",
        "_unanswered",
        "address",
        "epoch",
        "nonce",
        "outbox",
        "parking",
        "rolled_back",
        "version",
    )

    def __init__(self, services: Services, claim: Claim, outbox: StoreOutbox, in_all: ParkedBytes) -> None:
        self._services = services
        #: By which every commit is made. What the claim brought along is in use elsewhere, or not at all.
        self._claim = Claim(claim.address, claim.epoch, claim.nonce, claim.version)
        #: Which actor.
        self.address = claim.address
        #: The fencing token of this activation.
        self.epoch = claim.epoch
        #: What tells the claim of this activation from every other.
        self.nonce = claim.nonce
        #: How many commits this activation knows of.
        self.version = claim.version
        #: How many commits were begun.
        self._commits = 0
        self._numbers = Numbers(services.store, claim)
        #: Where what is committed goes.
        self.outbox = outbox
        #: Whether it was said that the store had lost commits this activation knows of.
        self.rolled_back = False
        #: What this activation has parked.
        self.parking = Parking(services.store, claim.address, claim.parked, in_all)
        self.parking.suspension = claim.suspension
        #: Where the reply of the last turn of what was parked lies in the outbox.
        self._unanswered: OutboxKey | None = None

    def is_next(self, envelope: Envelope) -> bool:
        """Return whether the numbered *envelope* comes next, and every number before it has come."""
        return self._numbers.is_next(envelope)

    def look_up(self, envelope: Envelope) -> Awaitable[Found]:
        """Return whether the *envelope* has run; raises `StoreUnavailableError`."""
        if not envelope.key:
            return self._numbers.look_up(envelope, self._services.clock.now_ms())
        return self._look_up_keyed(envelope)

    async def _look_up_keyed(self, envelope: Envelope) -> Found:
        found = await self._services.store.look_up(self.address, envelope.key, envelope.digest())
        is_parked = self.parking.runs_head
        if isinstance(found, Fresh) and envelope.sender and envelope.seq and not is_parked:
            # A retry or a fault is not recorded under the key, and still it settled this very envelope.
            by_number = await self._numbers.look_up(envelope, self._services.clock.now_ms())
            return by_number if isinstance(by_number, Duplicate) else found
        if isinstance(found, Fresh) and envelope.settled_key:
            return await self._settled(envelope)
        return found

    async def _settled(self, retry: Envelope) -> Found:
        found = await self._services.store.look_up(self.address, retry.settled_key, retry.digest())
        match found:
            case Duplicate(reply) if reply is not None and not reply.content_type:
                # It was tried again, or buried: its answer is to come, or there is nobody to give it to.
                return Duplicate(None)
            case _:
                return found

    async def commit(self, outcome: Outcome) -> Committed | Fenced:
        """Write the turn if this claim still holds; raises `StoreUnavailableError`."""
        envelope, decided, numbers = outcome.envelope, outcome.decided, self._numbers
        record = _record_of(outcome) if envelope.key else None
        now_ms = self._services.clock.now_ms()
        parking = self.parking.settled(decided.head, now_ms) if outcome.in_lane else None
        acceptance = suspended = reply = caller = None
        if envelope.seq and envelope.sender:
            if envelope.sender not in numbers.known:
                await numbers.of(envelope.sender)
            # What has a record is answered by that; its number is accepted all the same.
            answer = None if record is not None else decided.answer
            acceptance = numbers.acceptance(envelope, answer, outcome.retention_seconds, now_ms)
        if (suspension := decided.suspension) is not None:
            suspended = SuspensionChange(suspension)
            parking = replace(parking or ParkingChange(), due_ms=due_ms(suspension, now_ms, NEVER_MS))
        targets, outbox = outcome.targets, outcome.outbox
        if (answer := decided.answer) is not None:
            if (reply := self._reply(outcome, answer)) is not None:
                targets, outbox = [*targets, ""], [*outbox, reply]
            caller = None if outbox or not outcome.is_last else _caller_of(envelope, answer)
        commit = Commit(
            self._claim,
            self._nonce(),
            outcome.state,
            record,
            outbox,
            acceptance,
            parking,
            suspended,
            outcome.section,
            self._outbox_numbers(targets) if targets and any(targets) else None,
            outcome.reminders,
            caller,
            self._since,
            not self.outbox.is_empty,
        )
        result = self._noted(commit, await self._services.store.commit(commit))
        if isinstance(result, Fenced):
            return result
        if suspension is not None:
            self.parking.suspension = suspension
        if parking is not None:
            self.parking.committed(parking, [decided.head] if parking.appended and decided.head else [])
        if reply is None:
            return result
        self._unanswered = OutboxKey(self.version, item_index(self.epoch, len(outcome.outbox)))
        return replace(result, marks=result.marks[: len(outcome.outbox)])

    def _reply(self, outcome: Outcome, answer: Reply) -> bytes | None:
        """Return what is to be committed so that who asked is answered, whoever dies; None for nothing."""
        if not (outcome.in_lane and self.parking.runs_head):
            # Of what is not parked the broker has the delivery, and brings it again.
            return None
        return pack(to_send(outcome.envelope, answer))

    async def answered(self) -> None:
        """Clear the last reply from the outbox, if it is there; raises `StoreUnavailableError`."""
        unanswered, self._unanswered = self._unanswered, None
        if unanswered is not None:
            await self._services.store.dispatched(self.address, [unanswered])

    async def sections(self, turn: str) -> int:
        """Return how many sections of *turn* are durable; raises `StoreUnavailableError`."""
        return await self._services.store.sections(self.address, turn)

    async def commit_section(
        self, mark: SectionMark, state: bytes | None, tells: Sequence[Outgoing]
    ) -> Committed | Fenced:
        """Write a section if this claim still holds; raises `StoreUnavailableError`."""
        targets, outbox = [tell.target for tell in tells], [pack(tell) for tell in tells]
        commit = Commit(
            *(self._claim, self._nonce(), state),
            outbox=outbox,
            section=mark,
            numbers=self._outbox_numbers(targets) if any(targets) else None,
            since=self._since,
        )
        return self._noted(commit, await self._services.store.commit(commit))

    async def park(self, envelopes: Sequence[Envelope]) -> list[Envelope] | Fenced:
        """Park *envelopes*, beneath them what runs, as far as there is room.

        Raises:
            StoreUnavailableError: it may have happened.

        """
        parking, now_ms = self.parking, self._services.clock.now_ms()
        if parking.begins:
            # It may be that what runs must not run; and what is parked must not be older than that.
            return []
        # When the head is due must not change by what lines up behind it.
        await parking.head()
        # Known only now: until here it may have been committed.
        beneath = parking.running if parking.is_beneath else None
        wanted = [*([beneath.envelope] if beneath is not None else []), *envelopes]
        entries = [pack_parked(Parked(envelope)) for envelope in wanted]
        room = parking.room_for(entries)
        are_new, accepted = await self._numbers.parkable(wanted[:room], now_ms)
        if not any(are_new) or (beneath is not None and not are_new[0]):
            return []
        parked = [envelope for envelope, is_new in zip(wanted, are_new, strict=False) if is_new]
        appended = tuple(entry for entry, is_new in zip(entries, are_new, strict=False) if is_new)
        change = ParkingChange(appended=appended, accepted=accepted, due_ms=parking.due_after(now_ms))
        commit = Commit(self._claim, self._nonce(), parking=change, since=self._since)
        result = self._noted(commit, await self._services.store.commit(commit))
        if isinstance(result, Fenced):
            return result
        self._numbers.parked(accepted)
        parking.committed(change, [Parked(envelope) for envelope in parked])
        if beneath is not None:
            # What runs is durable now, whatever becomes of its turn.
            beneath.ack()
            parking.runs_head = parking.runs_head or parking.running is beneath
        return parked

    async def renew(self) -> None:
        """Let the actor number what it sends as somebody else: it may have used its numbers before.

        Raises:
            StoreUnavailableError: nobody knows whether it does now.

        """
        numbers = self._outbox_numbers((), renew=True)
        commit = Commit(self._claim, self._nonce(), numbers=numbers, since=self._since)
        if isinstance(self._noted(commit, await self._services.store.commit(commit)), Fenced):
            raise StoreUnavailableError(f"{self.address} was claimed by somebody else meanwhile")

    def _outbox_numbers(self, targets: Sequence[str], *, renew: bool = False) -> OutboxNumbers:
        return OutboxNumbers(self._services.clock.token()[:INCARNATION_CHARACTERS], targets, renew)

    def _nonce(self) -> str:
        # Nobody else has that of the claim, which is random.
        self._commits += 1
        return f"{self.nonce}:{self._commits}"

    @property
    def _since(self) -> int:
        return self.version - self._claim.version

    def _noted(self, commit: Commit, result: Committed | Fenced) -> Committed | Fenced:
        """Take note of what the store has answered, and return it."""
        if isinstance(result, Fenced):
            self.compare(result.version)
            return result
        self.outbox.committed(result.pending)
        if commit.acceptance is not None:
            self._numbers.committed(commit.acceptance)
        if commit.writes:
            self.version += 1
        return result

    def compare(self, found: int) -> None:
        """Say that the store has lost commits this activation knows of, once, if it has."""
        known = self.version
        if found < known and not self.rolled_back:
            self._services.observer.observe(StoreRolledBack(self.address, known, found))
            self.rolled_back = True

    def close(self, envelope: Envelope) -> None:
        """Take note that *envelope* will never run."""
        self._numbers.close(envelope)


def _caller_of(envelope: Envelope, answer: Reply) -> CallerReply | None:
    return None if envelope.stream else CallerReply(envelope.reply_to, envelope.correlation_id, answer)


def _record_of(outcome: Outcome) -> KeyedRecord | None:
    """Return what the turn of the keyed envelope is remembered by; None for nothing."""
    envelope, decided = outcome.envelope, outcome.decided
    if decided.reply is not None:
        return KeyedRecord(envelope.key, envelope.digest(), decided.reply, outcome.retention_seconds)
    if envelope.settled_key and not decided.unrun:
        reply = decided.answer or Reply(b"", "")
        known = (envelope.settled_key, envelope.digest(), reply, outcome.retention_seconds)
        # Calls that share a key until one of them succeeds share this one, too.
        return KeyedRecord(*known, replaces=True)
    return None
