"""One actor as the embedded store holds it.

Invariant: `write` is one step of the loop: all of a commit, or nothing, is there when others look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from broker_actors.adapters.memory.parking import MemoryParking
from broker_actors.adapters.memory.sections import MemorySections
from broker_actors.core.dedup import Accepted
from broker_actors.core.outgoing import mark
from broker_actors.core.past import Past, Resumption, resumed
from broker_actors.core.reply import Reply
from broker_actors.core.scheduled import CANCELLED
from broker_actors.core.suspension import Suspension
from broker_actors.core.turn import Committed
from broker_actors.ports.commit import Acceptance, Commit, OutboxKey
from broker_actors.ports.outbox_numbers import TARGETS_MAX, OutboxNumbers, item_index
from broker_actors.ports.reminders import ReminderChange


@dataclass(slots=True)
class Record:
    """The outcome of a keyed envelope."""

    digest: bytes
    reply: Reply
    expires_ms: int


@dataclass(slots=True)
class MemoryActor:
    """All that is durable of one actor."""

    epoch: int = 0
    nonce: str = ""
    #: Under which run of the store it was claimed last.
    run: str = ""
    resumptions: tuple[Resumption, ...] = ()
    version: int = 0
    commit: str = ""
    state: bytes | None = None
    #: In order: versions rise, and a commit adds its items in order.
    outbox: dict[OutboxKey, bytes] = field(default_factory=dict[OutboxKey, bytes])
    #: When the outbox became non-empty.
    dirty_since_ms: int = 0
    #: In the order in which they were written, which is about that in which they expire.
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    senders: dict[str, Accepted] = field(default_factory=dict[str, Accepted])
    answers: dict[str, dict[int, Reply]] = field(default_factory=dict[str, dict[int, Reply]])
    forgotten_ms: int = 0
    parking: MemoryParking = field(default_factory=MemoryParking)
    suspension: Suspension | None = None
    sections: MemorySections = field(default_factory=MemorySections)
    #: By what its outgoing numbers are told from those of other incarnations; empty until it has one.
    incarnation: str = ""
    #: The last number given to an item for each target.
    targets: dict[str, int] = field(default_factory=dict[str, int])
    #: By name; what they are now, and when they are due.
    reminders: dict[str, ReminderChange] = field(default_factory=dict[str, ReminderChange])

    @property
    def past(self) -> Past:
        """What may be compared with what others know."""
        return Past(self.epoch, self.version, self.resumptions)

    def claim(self, nonce: str, now_ms: int, run: str) -> None:
        """Give the actor to the claim *nonce*, unless that has it."""
        if self.nonce == nonce:
            return
        epoch = max(self.epoch + 1, now_ms)
        if self.run != run:
            self.run, self.resumptions = run, resumed(self.past, epoch)
            # What it sent in a past that is lost has numbers that it would give again.
            self.incarnation = ""
        self.epoch, self.nonce = epoch, nonce

    def marks(self, numbers: OutboxNumbers) -> list[bytes]:
        """Number the items of a commit; return the mark of each, empty for one that is not numbered."""
        if not self.incarnation or numbers.renew or len(self.targets) >= TARGETS_MAX:
            self.incarnation, self.targets = numbers.incarnation, {}
        return [self._mark(target) if target else b"" for target in numbers.targets]

    def _mark(self, target: str) -> bytes:
        self.targets[target] = self.targets.get(target, 0) + 1
        return mark(self.incarnation, self.targets[target])

    def accept(self, acceptance: Acceptance) -> None:
        """Remember that a numbered envelope was accepted."""
        self.senders[acceptance.sender] = acceptance.accepted
        answers = self.answers.setdefault(acceptance.sender, {})
        for seq in range(*acceptance.dropped):
            answers.pop(seq, None)
        if acceptance.reply is not None:
            answers[acceptance.seq] = acceptance.reply
        for sender in acceptance.forget:
            self.senders.pop(sender, None)
            self.answers.pop(sender, None)
        self.forgotten_ms = max(self.forgotten_ms, acceptance.forgotten_ms)

    def is_cancelled(self, key: str) -> bool:
        """Return whether the delayed tell with *key* was cancelled."""
        record = self.records.get(key)
        return record is not None and record.digest == CANCELLED

    def forget_expired(self, now_ms: int) -> None:
        """Drop the oldest records as far as they have expired."""
        while self.records:
            key = next(iter(self.records))
            if self.records[key].expires_ms > now_ms:
                return
            del self.records[key]

    def write(self, commit: Commit, now_ms: int) -> None:
        """Make *commit*, which was found to be allowed and has something to write, durable."""
        record = commit.record
        self.version += 1
        self.commit = commit.nonce
        if commit.state is not None:
            self.state = commit.state
        if commit.suspension is not None:
            self.suspension = commit.suspension.suspension
        if commit.section is not None:
            self.sections.mark(commit.section, now_ms)
        if record is not None:
            expires_ms = now_ms + record.retention_seconds * 1000
            self.forget_expired(now_ms)
            self.records.pop(record.key, None)
            self.records[record.key] = Record(record.digest, record.reply, expires_ms)
        if commit.acceptance is not None:
            self.accept(commit.acceptance)
        if commit.parking is not None:
            self.senders.update(commit.parking.accepted)
            self.parking.change(commit.parking)
        for change in commit.reminders:
            self.wind(change)
        if commit.outbox and not self.outbox:
            self.dirty_since_ms = now_ms
        marks = [b""] * len(commit.outbox) if commit.numbers is None else self.marks(commit.numbers)
        for index, item in enumerate(commit.outbox):
            self.outbox[_key(commit, self.version, index)] = marks[index] + item

    def wind(self, change: ReminderChange) -> None:
        """Change a reminder, if it is what it must be for that."""
        known = self.reminders.get(change.name)
        if change.instead_of is not None and (known is None or known.reminder != change.instead_of):
            return
        self.reminders.pop(change.name, None)
        if change.reminder is not None:
            self.reminders[change.name] = change

    def answer(self, commit: Commit) -> Committed:
        """Return the answer to *commit*, which was written, or has nothing to write."""
        pending = len(self.outbox) if commit.outbox or commit.counts else 0
        if commit.numbers is None:
            return Committed((), pending)
        kept = [self.outbox.get(_key(commit, self.version, index)) for index in range(len(commit.outbox))]
        pairs = zip(kept, commit.outbox, strict=True)
        marks = tuple(None if whole is None else whole[: len(whole) - len(item)] for whole, item in pairs)
        return Committed(marks, pending)

    def undispatched(self) -> Mapping[OutboxKey, bytes]:
        """Return what the outbox holds now, in order."""
        return MappingProxyType(dict(self.outbox))


def _key(commit: Commit, version: int, place: int) -> OutboxKey:
    return OutboxKey(version, item_index(commit.claim.epoch, place))
