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
from broker_actors.core.address import Address, is_type
from broker_actors.core.envelope import Envelope, from_wire, to_wire
from broker_actors.core.errors import TEXT_CHARACTERS_MAX, ErrorRecord, UndecodableError
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.topology import BROKER_KEY
from broker_actors.core.wire import INTEGER_MAX, Headers, HeaderValue, WireMessage, text, whole

TRACEBACK_CHARACTERS_MAX: Final = TEXT_CHARACTERS_MAX
#: What is kept of a foreign message's own headers, about: with those of the letter they
#: must fit one frame of 131,072 bytes, or the message could never be buried.
FOREIGN_HEADERS_BYTES_MAX: Final = 32_768
#: Of a header's name; the transport sends no longer ones.
NAME_BYTES_MAX: Final = 128
#: Of a value that is kept as a description of itself.
SHOWN_CHARACTERS_MAX: Final = 2_000
_INTEGER_MIN: Final = -(2**63)


class Reason(StrEnum):
    """Why a message became a dead letter."""

    REJECTED = "rejected"
    FAILED = "failed"
    UNDECODABLE = "undecodable"
    UNKNOWN_TARGET = "unknown_target"
    NEWER_STATE = "newer_state"
    CRASHED = "crashed"
    DEDUP_WINDOW = "dedup_window"
    UNROUTABLE = "unroutable"
    GIVEN_UP = "given_up"
    PARKED_FULL = "parked_full"


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
        died_ms: when, in Unix milliseconds; 0 if unknown.
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


def of_envelope(
    envelope: Envelope, reason: Reason, error: ErrorRecord, *, origin: str, now_ms: int
) -> Outgoing:
    """Return the dead letter of *envelope*, ready to be sent."""
    past = history.appended(envelope.history, envelope.attempt, error, now_ms)
    message = to_wire(replace(envelope, history=past))
    headers = _letter_headers(_envelope_id(envelope), reason, error, origin, now_ms)
    return _letter(message, headers, envelope.address.type)


def of_message(
    message: WireMessage, error: ErrorRecord, *, actor_type: str, origin: str, now_ms: int
) -> Outgoing:
    """Return the dead letter of a *message* that could not be read as an envelope, or not be sent on."""
    kept = replace(message, headers=_fitting(_sendable(_as_sent(message.headers))))
    headers = _letter_headers(_message_id(message), Reason.UNDECODABLE, error, origin, now_ms)
    return _letter(kept, headers, actor_type)


def bare(letter: Outgoing) -> Outgoing:
    """Return *letter* with nothing of what it holds but the body, for when the rest cannot be sent."""
    headers = letter.message.headers
    ours = {name: headers[name] for name in _LETTER_HEADERS if name in headers}
    return replace(letter, message=WireMessage(ours, letter.message.body))


def read(message: WireMessage) -> DeadLetter:
    """Return the dead letter in *message*, as found in a dead letter queue.

    Never raises: a letter can be shown and purged whatever it holds. One the broker wrote
    itself, which knows nothing of our headers, gets the reason `given_up`.
    """
    headers = message.headers
    kept = {name: value for name, value in _as_sent(headers).items() if name not in _LETTER_HEADERS}
    if "ba-type" not in kept and is_type(route := _shown(headers, "ba-route")):
        kept["ba-type"] = route
    sent = replace(message, headers=kept)
    if not _shown(headers, "ba-dead-id"):
        return _given_up(sent, headers.get("x-death"))
    return DeadLetter(
        _shown(headers, "ba-dead-id"),
        _shown(headers, "ba-reason"),
        _shown(headers, "ba-error"),
        _shown(headers, "ba-traceback"),
        _shown(headers, "ba-history"),
        _shown(headers, "ba-origin"),
        _died_ms(headers),
        sent,
    )


def redriven(letter: DeadLetter) -> Envelope:
    """Return the envelope that tries *letter* again, once however often it is redriven.

    Nobody waits for it any more. What the broker gave up keeps its identity, for it may
    have run; what we buried had no effect and gets a key of its own.

    Raises:
        UndecodableError: the letter is not an envelope: it can be shown and purged only.

    """
    envelope = replace(
        from_wire(letter.message), attempt=1, deadline_ms=0, chain=(), reply_to="", correlation_id=""
    )
    if letter.reason == Reason.GIVEN_UP:
        return envelope
    # Of a tick, too: its reminder has gone on.
    return replace(envelope, key=f"redrive:{letter.id}", sender="", seq=0, low=0, reminder="", first="")


_LETTER_HEADERS: Final = frozenset(
    {"ba-dead-id", "ba-reason", "ba-error", "ba-traceback", "ba-origin", "ba-died", "ba-route"}
)
#: What the broker adds, which changes with each delivery, and what would make it copy the letter elsewhere.
_BROKER_HEADERS: Final = frozenset({"CC", "BCC", "x-opt-deaths", "x-delivery-count", "x-acquired-count"})
_BROKER_PREFIXES: Final = ("x-death", "x-first-death-", "x-last-death-")


def _as_sent(headers: Headers) -> Headers:
    return {
        name: value
        for name, value in headers.items()
        if name not in _BROKER_HEADERS and not name.startswith(_BROKER_PREFIXES)
    }


def _sendable(headers: Headers) -> Headers:
    """Return *headers* with values of which it is certain that the transport can send them.

    Not every value a broker delivers can be written again: a double comes out of the client
    library as a float of half the size. Doing it twice changes nothing, or a letter buried
    again would be another letter.
    """
    return {name: _sendable_value(name, value) for name, value in headers.items()}


def _sendable_value(name: str, value: object) -> object:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case bool():
            return value
        case int() if _INTEGER_MIN <= value <= INTEGER_MAX:
            return value
        case bytes() | bytearray():
            return bytes(value)
        case [str(shown)] if name.startswith("ba-"):
            return [shown.encode(errors="backslashreplace").decode()]
        case _:
            # No header of ours is a list: what made the message unreadable does not become readable as text.
            shown = _shown_value(value)
            return [shown] if name.startswith("ba-") else shown


def _shown_value(value: object) -> str:
    try:
        shown = repr(value)
    except RecursionError:
        shown = f"<{type(value).__name__}, too deep to show>"
    return shown[:SHOWN_CHARACTERS_MAX].encode(errors="backslashreplace").decode()


def _fitting(headers: Headers) -> Headers:
    """Return as many of *headers* as a letter has room for, ours before foreign ones."""
    kept: dict[str, object] = {}
    left = FOREIGN_HEADERS_BYTES_MAX
    for name, value in sorted(headers.items(), key=lambda item: not item[0].startswith("ba-")):
        size = len(repr((name, value)).encode(errors="backslashreplace"))
        if size <= left and len(name.encode(errors="backslashreplace")) <= NAME_BYTES_MAX:
            kept[name] = value
            left -= size
    return kept


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
    route = actor_type if is_type(actor_type) else BROKER_KEY
    merged: Headers = {**message.headers, **headers, "ba-route": route}
    return Outgoing(Destination.DEAD, replace(message, headers=merged))


def _given_up(sent: WireMessage, deaths: object) -> DeadLetter:
    match deaths:
        case [{"reason": str(why), "queue": str(queue)}, *_]:  # pyright: ignore[reportUnknownVariableType]
            error, origin = f"the broker gave it up: {why}", queue
        case _:
            error, origin = "the broker gave it up", ""
    try:
        dead_id = _envelope_id(from_wire(sent))
    except UndecodableError:
        dead_id = _message_id(sent)
    past = _shown(sent.headers, "ba-history")
    return DeadLetter(dead_id, Reason.GIVEN_UP, error, "", past, origin, 0, sent)


def _envelope_id(envelope: Envelope) -> str:
    # The digest as well: the key of a conflicting envelope is another one's.
    return _id(str(envelope.address).encode(), envelope.identity.encode(), envelope.digest())


def _message_id(message: WireMessage) -> str:
    sent = _sendable(_as_sent(message.headers))
    headers = sorted((name, repr(value)) for name, value in sent.items() if name not in _LETTER_HEADERS)
    parts = (message.message_id, message.type, repr(headers))
    return _id(*(part.encode(errors="backslashreplace") for part in parts), message.body)


def _id(*parts: bytes) -> str:
    digest = blake2b(digest_size=12)
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()


def _shown(headers: Headers, name: str) -> str:
    try:
        return text(headers, name)
    except UndecodableError:
        return ""


def _died_ms(headers: Headers) -> int:
    try:
        return whole(headers, "ba-died", 0)
    except UndecodableError:
        return 0


def address_of(letter: DeadLetter) -> Address | None:
    """Return whom the letter was for, if its headers say."""
    actor_type, actor_id = letter.message.headers.get("ba-type"), letter.message.headers.get("ba-id")
    return (
        Address(actor_type, actor_id) if isinstance(actor_type, str) and isinstance(actor_id, str) else None
    )
