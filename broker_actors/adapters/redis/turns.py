"""What of a claim and a commit goes over the wire, as the scripts take and give it."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list, to_optional, to_pairs
from broker_actors.adapters.redis.connection import Answer, Arg
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.outboxes import read_outbox
from broker_actors.adapters.redis.reminders import args_of_reminders
from broker_actors.adapters.redis.resumptions import read_resumptions
from broker_actors.adapters.redis.suspensions import read_suspension
from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.reply import Reply
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Acceptance, Claim, Commit, KeyedRecord
from broker_actors.ports.outbox_numbers import TARGETS_MAX, OutboxNumbers
from broker_actors.ports.parking import ParkingChange, ParkingSize
from broker_actors.ports.sections import SectionMark
from broker_actors.ports.suspensions import SuspensionChange

#: What the script answers when it has written; no version is below 0.
COMMITTED: Final = -1


def keys_of(commit: Commit, keys: Keys) -> tuple[str, ...]:
    """Return the keys *commit* touches, in the order in which the script takes them."""
    address = commit.claim.address
    touched = keys.committed(address)
    if commit.record is not None:
        touched.append(keys.record(address, commit.record.key))
    if commit.acceptance is not None:
        touched.append(keys.answers(address, commit.acceptance.sender))
    if commit.parking is not None:
        touched += [keys.parking(address), keys.parked(address), keys.parked_bytes(address)]
    if commit.suspension is not None:
        touched.append(keys.suspended(address))
    if commit.section is not None:
        touched.append(keys.sections(address))
    if commit.numbers is not None:
        touched.append(keys.targets(address))
    if commit.reminders:
        touched += [keys.reminders(address), keys.reminded(address)]
    return tuple(touched)


def args_of(commit: Commit) -> tuple[Arg, ...]:
    """Return the arguments of *commit*, in the order in which the script takes them.

    A part that is not there is a 0; one that is there is a 1 and its fields. A list is its
    length and its items. The script says so when it is given more or fewer than it takes.
    """
    claim = commit.claim
    return (
        *(claim.epoch, claim.nonce, claim.version, commit.nonce, claim.address.id),
        *((0,) if commit.state is None else (1, commit.state)),
        *((0,) if commit.record is None else (1, *_record(commit.record))),
        *((0,) if commit.acceptance is None else (1, *_acceptance(commit.acceptance))),
        *((0,) if commit.parking is None else (1, *_parking(commit.parking))),
        *((0,) if commit.suspension is None else (1, *_suspension(commit.suspension))),
        *((0,) if commit.section is None else (1, *_section(commit.section))),
        *((0,) if commit.numbers is None else (1, *_numbers(commit.numbers))),
        *((0,) if not commit.reminders else (1, *args_of_reminders(commit.reminders, claim.address.id))),
        *_list(commit.outbox),
    )


def read_outcome(answer: Answer) -> Committed | Fenced:
    """Return what the script has answered to a commit."""
    first, *rest = to_list(answer)
    if (version := to_int(first)) != COMMITTED:
        return Fenced(version)
    pending, *marks = rest
    return Committed(tuple(to_optional(mark) for mark in marks), to_int(pending))


def read_claim(address: Address, nonce: str, answer: Answer) -> Claim:
    """Return the claim the script has answered."""
    epoch, version, state, outbox, senders, count, forgotten_ms, *rest = to_list(answer, 11)
    parked, parked_bytes, suspended, resumptions = rest
    known = {sender.decode(): Accepted.unpack(numbers) for sender, numbers in to_pairs(senders)}
    return Claim(
        *(address, to_int(epoch), nonce, to_int(version), to_optional(state), read_outbox(outbox)),
        senders=MappingProxyType(known),
        has_all_senders=len(known) == to_int(count),
        forgotten_ms=to_int(forgotten_ms),
        parked=ParkingSize(to_int(parked), to_int(parked_bytes)),
        suspension=read_suspension(suspended),
        resumptions=read_resumptions(resumptions),
    )


def read_reply(answer: Answer) -> Reply | None:
    """Return the reply that was kept; None if there is none."""
    if answer is None:
        return None
    content_type, _, body = to_bytes(answer).partition(b"\0")
    return Reply(body, content_type.decode())


def _record(record: KeyedRecord) -> tuple[Arg, ...]:
    kept_ms, reply = record.retention_seconds * 1000, record.reply
    return (record.digest, reply.content_type, reply.body, kept_ms, int(record.replaces))


def _acceptance(one: Acceptance) -> tuple[Arg, ...]:
    kept = b"" if one.reply is None else one.reply.content_type.encode() + b"\0" + one.reply.body
    first, end = one.dropped
    return (
        *(one.sender, one.accepted.pack(), one.seq, int(one.reply is not None), kept),
        *(one.retention_seconds * 1000, first, end, one.forgotten_ms),
        *_list(one.forget),
    )


def _parking(change: ParkingChange) -> tuple[Arg, ...]:
    numbers: list[Arg] = []
    for sender, accepted in change.accepted.items():
        numbers += [sender, accepted.pack()]
    return (
        *(int(change.pops), int(change.head is not None), change.head or b"", change.due_ms),
        *_list(change.appended),
        *_list(numbers),
    )


def _suspension(change: SuspensionChange) -> tuple[Arg, ...]:
    suspension = change.suspension
    return (b"", 0) if suspension is None else (suspension.pack(), suspension.since_ms)


def _section(mark: SectionMark) -> tuple[Arg, ...]:
    return (mark.turn, mark.number, mark.retention_seconds * 1000)


def _numbers(numbers: OutboxNumbers) -> tuple[Arg, ...]:
    return (numbers.incarnation, int(numbers.renew), TARGETS_MAX, *_list(numbers.targets))


def _list(items: Sequence[Arg]) -> tuple[Arg, ...]:
    return (len(items), *items)
