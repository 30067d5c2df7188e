"""Dead letters: what is kept of a message that will not be tried again by itself.

Invariants: nothing is ever dropped, so everything that ends without an effect and without
somebody being told ends here; the id is a function of the message, so a crash between
burying and acknowledging makes two copies of one letter and never two letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from broker_actors.core import history
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, from_wire, to_wire
from broker_actors.core.errors import ErrorRecord
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.wire import HeaderValue, Headers, WireMessage, text, whole

TRACEBACK_CHARACTERS_MAX: Final = 8_000


class Reason(StrEnum):
    """Why a message became a dead letter."""

    REJECTED = "rejected"
    FAILED = "failed"
    UNDECODABLE = "undecodable"
    UNKNOWN_TARGET = "unknown_target"
    CRASHED = "crashed"
    UNROUTABLE = "unroutable"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, as listed and shown.

    Attributes:
        id: the same for every copy of one letter.
        reason: why it is here.
        error: the last error, in one line.
        traceback: of the last error; empty if there is none.
        history: the failed attempts, as JSON text.
        origin: the mailbox it came from.
        died_ms: when, in Unix milliseconds.
        message: what was sent, without the headers of the letter.

    """

    id: str
    reason: str
    error: str
    traceback: str
    history: str
    origin: str
    died_ms: int
    message: WireMessage


def of_envelope(envelope: Envelope, reason: Reason, error: ErrorRecord, *, origin: str, now_ms: int) -> Outgoing:
    """Return the dead letter of *envelope*, ready to be sent."""
    dead_id = _id(str(envelope.address), envelope.identity)
    past = history.appended(envelope.history, envelope.attempt, error, now_ms)
    message = to_wire(replace(envelope, history=past))
    return _letter(message, _letter_headers(dead_id, reason, error, origin, now_ms), envelope.address.type)


def of_message(message: WireMessage, error: ErrorRecord, *, actor_type: str, origin: str, now_ms: int) -> Outgoing:
    """Return the dead letter of a *message* that could not be read as an envelope."""
    dead_id = _id(message.message_id, repr(sorted(message.headers)), message.type, message.body.hex())
    return _letter(message, _letter_headers(dead_id, Reason.UNDECODABLE, error, origin, now_ms), actor_type)


def read(message: WireMessage) -> DeadLetter:
    """Return the dead letter in *message*, as found in a dead letter queue.

    Raises:
        UndecodableError: its headers have the wrong kinds.

    """
    headers = message.headers
    kept = {name: value for name, value in headers.items() if name not in _LETTER_HEADERS and name != "ba-route"}
    if not text(headers, "ba-type") and (route := text(headers, "ba-route")):
        kept["ba-type"] = route
    return DeadLetter(
        text(headers, "ba-dead-id"),
        text(headers, "ba-reason"),
        text(headers, "ba-error"),
        text(headers, "ba-traceback"),
        text(headers, "ba-history"),
        text(headers, "ba-origin"),
        whole(headers, "ba-died", 0),
        replace(message, headers=kept),
    )


def redriven(letter: DeadLetter) -> Envelope:
    """Return the envelope that tries *letter* again, once however often it is redriven.

    Raises:
        UndecodableError: the letter is not an envelope: it can be shown and purged only.

    """
    envelope = from_wire(letter.message)
    return replace(
        envelope,
        key=f"redrive:{letter.id}",
        attempt=1,
        sender="",
        seq=0,
        low=0,
        deadline_ms=0,
        reply_to="",
        correlation_id="",
    )


_LETTER_HEADERS: Final = frozenset(
    {"ba-dead-id", "ba-reason", "ba-error", "ba-traceback", "ba-origin", "ba-died", "x-death", "x-opt-deaths"}
)


def _letter_headers(
    dead_id: str, reason: Reason, error: ErrorRecord, origin: str, now_ms: int
) -> Mapping[str, HeaderValue]:
    return {
        "ba-dead-id": dead_id,
        "ba-reason": reason.value,
        "ba-error": history.summary(error),
        "ba-traceback": error.traceback[-TRACEBACK_CHARACTERS_MAX:],
        "ba-origin": origin,
        "ba-died": now_ms,
    }


def _letter(message: WireMessage, headers: Mapping[str, HeaderValue], actor_type: str) -> Outgoing:
    merged: Headers = {**message.headers, **headers, "ba-route": actor_type}
    return Outgoing(Destination.DEAD, replace(message, headers=merged))


def _id(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=12).hexdigest()


def address_of(letter: DeadLetter) -> Address | None:
    """Return whom the letter was for, if its headers say."""
    actor_type, actor_id = letter.message.headers.get("ba-type"), letter.message.headers.get("ba-id")
    return Address(actor_type, actor_id) if isinstance(actor_type, str) and isinstance(actor_id, str) else None
