"""What is printed of an actor as the store holds it, also when nobody can read its state."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from broker_actors.cli import ages
from broker_actors.cli.output import jsonable
from broker_actors.cli.serving import in_rank
from broker_actors.core import codec, outgoing
from broker_actors.core.address import Address
from broker_actors.core.errors import PayloadTooLargeError, Plain, UndecodableError
from broker_actors.core.member import Member
from broker_actors.core.stored import Stored, unpack
from broker_actors.core.suspension import Suspension
from broker_actors.core.topology import Layout
from broker_actors.core.wire import text
from broker_actors.ports.commit import OutboxKey
from broker_actors.ports.listing import Summary
from broker_actors.ports.outbox_numbers import ITEMS_MAX
from broker_actors.ports.store import Snapshot

COLUMNS: Final = ("id", "version", "claimed", "bytes", "undispatched", "parked", "mailbox", "worker")
SUSPENDED_COLUMNS: Final = ("id", "since", "why", "error")
OUTBOX_COLUMNS: Final = ("item", "to", "actor", "method", "due", "bytes")


class Places:
    """Where the actors of one type are: their mailboxes, and who consumes those."""

    def __init__(self, layout: Layout, members: Collection[Member]) -> None:
        self._layout = layout
        self._members = {member.name: member for member in members}
        #: By mailbox, where the first of those is who consume it, by their rank.
        self._first: dict[str, str] = {}

    def mailbox(self, actor_id: str) -> str:
        """Return the mailbox of *actor_id*."""
        return self._layout.mailbox_of(actor_id)

    def worker(self, actor_id: str) -> str:
        """Return who consumes the mailbox of *actor_id*: host and process; empty for nobody."""
        mailbox = self.mailbox(actor_id)
        if mailbox not in self._first:
            together = self._layout.mailboxes() or [mailbox]
            for one, ranked in in_rank(together, self._layout.type, self._members.values()).items():
                consuming = (self._members[name] for name in ranked if one in self._members[name].consuming)
                self._first[one] = next((member.place or member.name for member in consuming), "")
        return self._first[mailbox]


def table(found: Sequence[Summary], places: Places) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the columns and rows that show *found*; who is suspended has a column if anybody is."""
    rows = [row(one, places) for one in found]
    if all(one.suspension is None for one in found):
        return COLUMNS, rows
    causes = ["-" if one.suspension is None else one.suspension.cause for one in found]
    return (*COLUMNS, "suspended"), [(*cells, why) for cells, why in zip(rows, causes, strict=True)]


def row(summary: Summary, places: Places) -> tuple[str, ...]:
    """Return *summary* as a line of a table of `COLUMNS`."""
    actor_id = summary.address.id
    numbers = (str(summary.state_bytes), str(summary.undispatched), str(summary.parked))
    place = (places.mailbox(actor_id), places.worker(actor_id) or "-")
    return (actor_id, str(summary.version), moment(summary.epoch), *numbers, *place)


def document(summary: Summary, places: Places) -> dict[str, object]:
    """Return *summary* for a machine."""
    return {
        "id": summary.address.id,
        "version": summary.version,
        "claimed_ms": summary.epoch,
        "state_bytes": summary.state_bytes,
        "undispatched": summary.undispatched,
        "parked": summary.parked,
        "suspension": suspension_document(summary.suspension),
        **_place(summary.address.id, places),
    }


def suspended_row(address: Address, suspension: Suspension) -> tuple[str, ...]:
    """Return a suspended actor as a line of a table of `SUSPENDED_COLUMNS`."""
    return (address.id, moment(suspension.since_ms), suspension.cause, suspension.error)


def suspension_document(suspension: Suspension | None) -> dict[str, object] | None:
    """Return *suspension* for a machine."""
    if suspension is None:
        return None
    return {"cause": suspension.cause, "error": suspension.error, "since_ms": suspension.since_ms}


def fields(snapshot: Snapshot, places: Places, now_ms: int) -> Mapping[str, str]:
    """Return what there is to know of *snapshot* but its state and outbox, by name, for a person."""
    actor_id = snapshot.address.id
    age = ages.shown(max(0, now_ms - snapshot.epoch) / 1000)
    state = "none yet" if snapshot.state is None else f"{len(snapshot.state)} bytes"
    if (written := state_version_of(snapshot)) is not None and written > 1:
        state += f", of version {written} of its class"
    suspension = snapshot.suspension
    why = "" if suspension is None else f"{suspension.cause}, since {moment(suspension.since_ms)}"
    return {
        "actor": str(snapshot.address),
        **({} if suspension is None else {"suspended": why, "because": suspension.error}),
        "version": str(snapshot.version),
        "claimed": f"{moment(snapshot.epoch)} ({age} ago)",
        "mailbox": places.mailbox(actor_id),
        "worker": places.worker(actor_id) or "-",
        "state": state,
        "outbox": f"{len(snapshot.outbox)} undispatched",
        "parking": f"{snapshot.parked.entries} parked",
    }


def full_document(snapshot: Snapshot, places: Places) -> dict[str, object]:
    """Return *snapshot* for a machine."""
    return {
        "type": snapshot.address.type,
        "id": snapshot.address.id,
        "version": snapshot.version,
        "claimed_ms": snapshot.epoch,
        "suspension": suspension_document(snapshot.suspension),
        "state_bytes": len(snapshot.state or b""),
        "state_version": state_version_of(snapshot),
        "state": state_of(snapshot),
        "outbox": [_item(key, data) for key, data in snapshot.outbox.items()],
        "parked": snapshot.parked.entries,
        **_place(snapshot.address.id, places),
    }


def state_text(snapshot: Snapshot) -> str:
    """Return the state for a person, over several lines."""
    return json.dumps(jsonable(state_of(snapshot)), ensure_ascii=False, indent=2)


def state_of(snapshot: Snapshot) -> Plain:
    """Return the durable attributes by name; what else the bytes say if they are no state; else the bytes."""
    if snapshot.state is None:
        return None
    found = _stored(snapshot.state)
    if found is not None:
        return found.values
    try:
        return codec.decode(snapshot.state, bytes_max=len(snapshot.state))
    except UndecodableError:
        return snapshot.state


def state_version_of(snapshot: Snapshot) -> int | None:
    """Return which version of its class wrote the state; None if there is none, or nobody can tell."""
    found = None if snapshot.state is None else _stored(snapshot.state)
    return None if found is None else found.version


def _stored(data: bytes) -> Stored | None:
    try:
        found = unpack(data, bytes_max=len(data))
    except UndecodableError:
        return None
    return found if isinstance(found, Stored) else None


def outbox_row(key: OutboxKey, data: bytes) -> tuple[str, ...]:
    """Return one item of an outbox as a line of a table of `OUTBOX_COLUMNS`."""
    item = _item(key, data)
    due_ms = item["due_ms"]
    due = moment(due_ms) if isinstance(due_ms, int) else "-"
    shown = (str(item[name] or "-") for name in ("destination", "actor", "method"))
    return (f"{key.version}:{key.index % ITEMS_MAX}", *shown, due, str(len(data)))


def moment(ms: int) -> str:
    """Return Unix milliseconds as a date and time, or as they are if they are none."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
    except (OSError, OverflowError, ValueError):
        return str(ms)


def _place(actor_id: str, places: Places) -> dict[str, object]:
    return {"mailbox": places.mailbox(actor_id), "worker": places.worker(actor_id) or None}


def _item(key: OutboxKey, data: bytes) -> dict[str, object]:
    found: dict[str, object] = {"version": key.version, "index": key.index % ITEMS_MAX, "bytes": len(data)}
    try:
        item = outgoing.unpack(data)
        target = "/".join(_header(item, name) for name in ("ba-type", "ba-id"))
    except (UndecodableError, PayloadTooLargeError):
        # Of another release, or broken: somebody should know that it is there.
        return found | {"destination": None, "actor": None, "method": None, "due_ms": None}
    return found | {
        "destination": item.destination.value,
        "actor": target,
        "method": item.message.type,
        "due_ms": item.due_ms or None,
    }


def _header(item: outgoing.Outgoing, name: str) -> str:
    return text(item.message.headers, name)
