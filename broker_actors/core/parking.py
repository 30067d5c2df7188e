"""What lies in a parking: accepted envelopes, and when the first of them is to run.

Invariant: an entry holds all there is of its envelope. Nothing else is left of it: the
broker has forgotten it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from broker_actors.core import codec, outgoing
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, from_wire, to_wire
from broker_actors.core.errors import ErrorRecord, PlatformError, UndecodableError
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.wire import BODY_BYTES_MAX

#: What one actor may park, and all actors of all types together.
ACTOR_BYTES_MAX: Final = 64 * 1024 * 1024
TOTAL_BYTES_MAX: Final = 1024 * 1024 * 1024
#: Called on an actor whose parking nobody looks after: no method of a class can have this name.
WAKE: Final = "__wake__"
#: In the place of the method of an entry that nobody can read.
UNREADABLE: Final = "__unreadable__"
_NO_CONTENT_TYPE: Final = "application/octet-stream"
#: What of an entry that cannot be read fits its dead letter.
_KEPT_BYTES_MAX: Final = BODY_BYTES_MAX + BODY_BYTES_MAX // 2
_ENTRY_BYTES_MAX: Final = 3 * BODY_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Parked:
    """One entry.

    Attributes:
        envelope: what is parked, its attempt and history included.
        due_ms: when it may run once it is the head, Unix milliseconds; 0 for at once.

    """

    envelope: Envelope
    due_ms: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One entry that is broken, or of a release that writes others.

    Attributes:
        data: what lies in the parking.
        why: what is wrong with it.
        due_ms: at once: nobody can tell.

    """

    data: bytes
    why: str
    due_ms: int = 0


def pack(parked: Parked) -> bytes:
    """Return *parked* as the bytes a parking keeps."""
    envelope = parked.envelope
    item = outgoing.pack(Outgoing(Destination.MAILBOX, to_wire(envelope)))
    fields = [parked.due_ms, envelope.message_id, item]
    return codec.encode(fields, what="parked envelope", bytes_max=_ENTRY_BYTES_MAX)


def unpack(data: bytes) -> Parked:
    """Return the entry in *data*.

    Raises:
        UndecodableError: it is not one.
        PayloadTooLargeError: it is over its limit.

    """
    match codec.decode(data, bytes_max=_ENTRY_BYTES_MAX):
        case [int(due_ms), str(message_id), bytes(item)] if not isinstance(due_ms, bool):
            message = replace(outgoing.unpack(item).message, message_id=message_id)
            return Parked(from_wire(message), due_ms)
        case other:
            raise UndecodableError(f"not a parked envelope: {other!r:.80}")


def read(data: bytes) -> Parked | Unreadable:
    """Return the entry in *data*, whatever it is."""
    try:
        return unpack(data)
    except PlatformError as error:
        return Unreadable(data, str(error))


def stand_in(entry: Unreadable, address: Address, token: str) -> Envelope:
    """Return what leaves the parking of *address* in the place of *entry*: its bytes, and no method to run.

    Args:
        entry: what nobody can read.
        address: whose parking it is in.
        token: two that look alike are still two.

    """
    return Envelope(address, UNREADABLE, entry.data[:_KEPT_BYTES_MAX], _NO_CONTENT_TYPE, message_id=token)


def unreadable(entry: Unreadable, address: Address) -> ErrorRecord:
    """Return the error of *entry*, which is in the parking of *address*."""
    text = (
        f"an entry of the parking of {address} cannot be read ({entry.why}): its bytes are the body of this "
        "letter. Did a worker of a newer release park it? Else see what damaged the store, and send it again"
    )
    return ErrorRecord("UndecodableError", "ParkedUndecodableError", text)


def has_room(entry_bytes: int, actor_bytes: int, total_bytes: int) -> bool:
    """Return whether an entry may be parked beside what the actor, and all actors together, have parked."""
    return actor_bytes + entry_bytes <= ACTOR_BYTES_MAX and total_bytes + entry_bytes <= TOTAL_BYTES_MAX


def wake_of(address: Address, now_ms: int) -> Outgoing:
    """Return the message that makes whoever serves *address* look after its parking."""
    envelope = Envelope(address, WAKE, sent_seconds=now_ms // 1000)
    return Outgoing(Destination.MAILBOX, to_wire(envelope))


def full(envelope: Envelope) -> ErrorRecord:
    """Return the error of an envelope for which there is no room in the parking of its actor."""
    text = (
        f"{envelope.address} waits for a failed message, and more waits behind that than may be parked: "
        "see why it fails (`broker-actors actors show`), then redrive this one"
    )
    return ErrorRecord("SystemFaultError", "ParkingFullError", text)
