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
from broker_actors.adapters.redis.replies import UNREAD_MAX
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


def call_of(commit: Commit, keys: Keys) -> tuple[list[str], list[Arg]]:
    """Return the keys *commit* touches and its arguments, in the order in which the script takes them.

    A part that is there is its name and its fields; one that is not is left out. A list is its
    length and its items. The script says so when it is given more or fewer than it takes.
    """
    claim = commit.claim
    address = claim.address
    touched = keys.committed(address)
    args: list[Arg] = [claim.epoch, claim.nonce, commit.version, commit.nonce, address.id]
    if (state := commit.state) is not None:
        args += ("state", state)
    if commit.record is not None:
        touched.append(keys.record(address, commit.record.key))
        args += ("record", *_record(commit.record))
    if (one := commit.acceptance) is not None:
        args += ("acceptance", one.sender, one.accepted.pack())
        first, end = one.dropped
        if first < end or one.reply is not None:
            touched.append(keys.answers(address, one.sender))
            args += ("replies", first, end, *_replies(one))
        if one.forgotten_ms or one.forget:
            args += ("forgotten", one.forgotten_ms, *_list(one.forget))
    _add_seldom(commit, keys, touched, args)
    if commit.outbox or commit.counts:
        args += ("outbox", *_list(commit.outbox))
    if (caller := commit.caller) is not None:
        touched.append(keys.reply(caller.reply_to))
        args += ("caller", UNREAD_MAX, caller.correlation_id, caller.reply.content_type, caller.reply.body)
    return touched, args


def _add_seldom(commit: Commit, keys: Keys, touched: list[str], args: list[Arg]) -> None:
    """Add the parts that few commits have."""
    address = commit.claim.address
    if commit.parking is not None:
        touched += [keys.parking(address), keys.parked(address), keys.parked_bytes(address)]
        args += ("parking", *_parking(commit.parking))
    if commit.suspension is not None:
        touched.append(keys.suspended(address))
        args += ("suspension", *_suspension(commit.suspension))
    if commit.section is not None:
        touched.append(keys.sections(address))
        args += ("section", *_section(commit.section))
    if commit.numbers is not None:
        touched.append(keys.targets(address))
        args += ("numbers", *_numbers(commit.numbers))
    if commit.reminders:
        touched += [keys.reminders(address), keys.reminded(address)]
        args += ("reminders", *args_of_reminders(commit.reminders, address.id))


def read_outcome(answer: Answer) -> Committed | Fenced:
    """Return what the script has answered to a commit."""
    found = to_list(answer)
    if found[0] != COMMITTED:
        return Fenced(to_int(found[0]))
    _, pending, answered, *marks = found
    return Committed(tuple(map(to_optional, marks)) if marks else (), to_int(pending), answered == 1)


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


def _replies(one: Acceptance) -> tuple[Arg, ...]:
    kept_ms = one.retention_seconds * 1000
    if one.reply is None:
        return (one.seq, 0, b"", kept_ms)
    return (one.seq, 1, one.reply.content_type.encode() + b"\0" + one.reply.body, kept_ms)


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
