"""The envelope: one immutable message to an actor, and its wire format v1.

`to_wire` and `from_wire` are the only places that know header names. Only `ba-type`,
`ba-id` and the `type` property are required of a foreign publisher. The conformance
vectors in tests/vectors hold both directions to the documented format.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import Final, TypedDict

from broker_actors.core.address import (
    ACTOR_ID_BYTES_MAX,
    ACTOR_TYPE_CHARACTERS_MAX,
    Address,
    check_id,
    check_type,
)
from broker_actors.core.errors import ConfigurationError, UndecodableError
from broker_actors.core.light import dataclass
from broker_actors.core.wire import BODY_BYTES_MAX, Headers, HeaderValue, WireMessage, text, whole

VERSION: Final = 1
MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"

METHOD_CHARACTERS_MAX: Final = 128
#: Of an AMQP short string, as the method travels in one.
METHOD_BYTES_MAX: Final = 255
KEY_CHARACTERS_MAX: Final = 256
KEY_BYTES_MAX: Final = 4 * KEY_CHARACTERS_MAX
#: Short enough for the key of a retry to hold it: `r:n:<sender>:<seq>:<attempt>`.
SENDER_BYTES_MAX: Final = 256
#: Callers in a chain, outermost first; the bound on the depth of nested asks.
CHAIN_LENGTH_MAX: Final = 32
MEDIA_TYPES: Final = frozenset({MSGPACK, JSON})
#: What was checked lately and need not be checked again.
_ADDRESSES_KEPT: Final = 10_000
_ROUTES_KEPT: Final = 1_024
_METHODS_KEPT: Final = 1_024
#: Quoting makes up to three bytes of one.
_CHAIN_BYTES_MAX: Final = CHAIN_LENGTH_MAX * (3 * ACTOR_ID_BYTES_MAX + ACTOR_TYPE_CHARACTERS_MAX + 2)


#: The headers of the envelopes of a client; the last one is that of an ask.
_USUAL: Final = frozenset({"ba-version", "ba-type", "ba-id", "ba-sender", "ba-seq", "ba-low", "ba-deadline"})


class _Seldom(TypedDict, total=False):
    """What other headers say, by the attribute of the envelope."""

    key: str
    attempt: int
    chain: tuple[str, ...]
    traceparent: str
    tracestate: str
    history: str
    stream: bool
    reminder: str
    first: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message for one actor. One that exists can travel, and be read where it arrives.

    Attributes:
        address: whom it is for.
        method: which method it calls.
        body: the encoded arguments.
        content_type: how the body is encoded; the reply is encoded the same way.
        sender: the sender incarnation that numbered it; empty for foreign publishers.
        seq: its number among this sender's envelopes to this actor, from 1; 0 if unnumbered.
        low: the lowest number the sender still awaits; 0 if it does not say.
        key: idempotency key, scoped to the actor; empty for none.
        attempt: which run this is, from 1.
        deadline_ms: Unix milliseconds after which it must not start; 0 for never.
        chain: the actors that wait for this call, outermost first.
        reply_to: the caller's reply channel; empty for a tell.
        correlation_id: names the ask within the reply channel.
        sent_seconds: when it was sent, Unix seconds; 0 if unknown.
        traceparent: W3C trace context.
        tracestate: W3C trace context.
        history: what earlier attempts failed with, oldest first, as JSON text; empty for none.
        message_id: of the publish that brought it; all a foreign envelope may have for a name.
        stream: whether its caller reads a chunk stream, and no single reply.
        reminder: the name of the reminder whose tick it is; empty for none.
        first: of a retry with a key: the number of its first attempt, if that had one; empty for none.

    """

    address: Address
    method: str
    body: bytes = b""
    content_type: str = MSGPACK
    sender: str = ""
    seq: int = 0
    low: int = 0
    key: str = ""
    attempt: int = 1
    deadline_ms: int = 0
    chain: tuple[str, ...] = ()
    reply_to: str = ""
    correlation_id: str = ""
    sent_seconds: int = 0
    traceparent: str = ""
    tracestate: str = ""
    history: str = ""
    message_id: str = ""
    stream: bool = False
    reminder: str = ""
    first: str = ""

    def __post_init__(self) -> None:
        """Refuse what the reader of a mailbox would refuse.

        Raises:
            ConfigurationError: the method, the key, the attempt or the chain is out of its bounds.

        """
        if not _is_method(self.method):
            raise ConfigurationError(
                f"a method's name has 1 to {METHOD_CHARACTERS_MAX} characters: {self.method!r:.99}"
            )
        if self.key or self.attempt != 1 or self.chain:
            self._check_seldom()

    def _check_seldom(self) -> None:
        if self.key and not _fits(self.key, KEY_BYTES_MAX):
            raise ConfigurationError(
                f"an idempotency key has at most {KEY_BYTES_MAX} UTF-8 bytes: {self.key!r:.99}"
            )
        if self.attempt < 1:
            raise ConfigurationError(f"attempt {self.attempt}: attempts count from 1")
        if len(self.chain) > CHAIN_LENGTH_MAX:
            raise ConfigurationError(
                f"{len(self.chain)} actors wait for this call: at most {CHAIN_LENGTH_MAX} may"
            )

    @property
    def is_ask(self) -> bool:
        """Whether somebody waits for the reply, and has named what to match it by, or reads a stream."""
        return self.stream or bool(self.reply_to and self.correlation_id)

    @property
    def is_answered(self) -> bool:
        """Whether anybody may ever read the result: who asked, or who calls again with the same key."""
        return bool(self.key) or self.is_ask

    @property
    def call(self) -> str:
        """What tells an ask from all others of all clients: what its reply is matched by."""
        return f"{self.reply_to} {self.correlation_id}"

    def expired(self, now_ms: int) -> bool:
        """Return whether the deadline has passed."""
        return 0 < self.deadline_ms <= now_ms

    def digest(self) -> bytes:
        """Return what two envelopes of one key must have in common: the method and the body."""
        return blake2b(self.method.encode() + b"\0" + self.body, digest_size=16).digest()

    @property
    def identity(self) -> str:
        """What a redelivery of this envelope has in common with it, and no other envelope has.

        The last resort, for a foreign envelope without key, number and message id, is what
        it says: two that say the same cannot be told apart.
        """
        if self.key:
            return f"k:{self.key}"
        if self.sender and self.seq:
            return f"n:{self.sender}:{self.seq}"
        return f"m:{self.message_id or self.digest().hex()}"

    @property
    def lineage(self) -> str:
        """What all attempts of this envelope have in common: the identity of the first."""
        # A retry of a keyed envelope has the same key; one of any other the key that `again` makes.
        first = self.key[2:].rpartition(":")[0] if self.key.startswith("r:") else ""
        return first or self.identity

    @property
    def settled_key(self) -> str:
        """By what a retry is known that was settled, whatever came of it; empty for a first attempt.

        A first attempt is known by its number. A retry has none, and the key it goes by is that
        of every later attempt, too, and of every other call that a user gave it: that is used
        up only by one that succeeds.
        """
        which = f"{self.attempt}:{self.first}" if self.first else f"{self.attempt}"
        return f"r:{self.identity}:{which}" if self.key and self.attempt > 1 else ""

    def again(self, attempt: int, history: str) -> Envelope:
        """Return the envelope of the next attempt, which goes by a key.

        The failed attempt consumed its number. A user's key stays, for until one attempt
        succeeds every envelope with that key is the same call; but each has attempts of its own.
        """
        key = self.key or f"r:{self.identity}:{attempt}"
        first = f"n:{self.sender}:{self.seq}" if self.key and self.sender and self.seq else self.first
        # A tick is the reminder's only once.
        unnumbered = replace(self, sender="", seq=0, low=0, reminder="")
        return replace(unnumbered, attempt=attempt, key=key, history=history, first=first)


def to_wire(envelope: Envelope) -> WireMessage:
    """Return *envelope* as it travels; headers that hold their default are left out."""
    headers: dict[str, HeaderValue] = {
        "ba-version": VERSION,
        "ba-type": envelope.address.type,
        "ba-id": envelope.address.id,
    }
    if envelope.sender:
        headers["ba-sender"] = envelope.sender
        headers["ba-seq"] = envelope.seq
        headers["ba-low"] = envelope.low
    if envelope.key:
        headers["ba-key"] = envelope.key
    if envelope.attempt != 1:
        headers["ba-attempt"] = envelope.attempt
    if envelope.deadline_ms:
        headers["ba-deadline"] = envelope.deadline_ms
    if envelope.chain:
        headers["ba-chain"] = " ".join(_quoted(caller) for caller in envelope.chain)
    if envelope.stream:
        headers["ba-stream"] = 1
    _add_texts(headers, envelope)
    return WireMessage(
        headers,
        envelope.body,
        envelope.content_type,
        envelope.method,
        envelope.correlation_id,
        envelope.reply_to,
        envelope.sent_seconds,
    )


def _add_texts(headers: dict[str, HeaderValue], envelope: Envelope) -> None:
    if envelope.reminder:
        headers["ba-reminder"] = envelope.reminder
    if envelope.first:
        headers["ba-first"] = envelope.first
    if envelope.traceparent:
        headers["traceparent"] = envelope.traceparent
    if envelope.tracestate:
        headers["tracestate"] = envelope.tracestate
    if envelope.history:
        headers["ba-history"] = envelope.history


def from_wire(message: WireMessage) -> Envelope:
    """Read an envelope that anybody may have written.

    Raises:
        UndecodableError: a required header is missing, or one has the wrong kind,
            length or version.

    """
    headers = message.headers
    get = headers.get
    route = get("ba-version", VERSION), get("ba-type", ""), get("ba-id", ""), get("ba-sender", "")
    try:
        address, sender = _route(*route)
    except TypeError:
        # What cannot be hashed cannot be remembered.
        address, sender = _read_route(*route)
    if len(message.body) > BODY_BYTES_MAX:
        # Here and not when the body is decoded: its dead letter would not fit an outbox.
        raise UndecodableError(f"a body of {len(message.body)} bytes; the limit is {BODY_BYTES_MAX}")
    seldom: _Seldom = {} if headers.keys() <= _USUAL else _seldom(headers)
    content_type = message.content_type
    try:
        return Envelope(
            address,
            message.type,
            message.body,
            content_type if content_type in MEDIA_TYPES else _media_type(content_type),
            sender,
            whole(headers, "ba-seq", 0),
            whole(headers, "ba-low", 0),
            deadline_ms=whole(headers, "ba-deadline", 0),
            reply_to=message.reply_to,
            correlation_id=message.correlation_id,
            sent_seconds=message.timestamp_seconds,
            message_id=message.message_id,
            **seldom,
        )
    except ConfigurationError as error:
        raise UndecodableError(f"not an envelope: {error}") from error


def _seldom(headers: Headers) -> _Seldom:
    chain = text(headers, "ba-chain", bytes_max=_CHAIN_BYTES_MAX)
    return {
        "key": text(headers, "ba-key", bytes_max=KEY_BYTES_MAX),
        "attempt": whole(headers, "ba-attempt", 1),
        "chain": tuple(_unquoted(caller) for caller in chain.split(" ")) if chain else (),
        "traceparent": text(headers, "traceparent"),
        "tracestate": text(headers, "tracestate"),
        "history": text(headers, "ba-history"),
        "stream": whole(headers, "ba-stream", 0) == 1,
        "reminder": text(headers, "ba-reminder", bytes_max=KEY_BYTES_MAX),
        "first": text(headers, "ba-first", bytes_max=KEY_BYTES_MAX),
    }


def _read_route(version: object, actor_type: object, actor_id: object, sender: object) -> tuple[Address, str]:
    """Return whom an envelope is for and who sends it, by the values of these headers."""
    headers = {"ba-version": version, "ba-type": actor_type, "ba-id": actor_id, "ba-sender": sender}
    if (said := whole(headers, "ba-version", VERSION)) != VERSION:
        raise UndecodableError(f"wire format version {said}: this release reads version {VERSION}")
    try:
        address = _address(text(headers, "ba-type"), text(headers, "ba-id"))
    except ConfigurationError as error:
        raise UndecodableError(f"not an envelope: {error}") from error
    return address, text(headers, "ba-sender", bytes_max=SENDER_BYTES_MAX)


#: Most envelopes go the way of one that came a moment ago. Typed, for True equals 1 and is no version.
_route: Final = lru_cache(_ROUTES_KEPT, typed=True)(_read_route)


@lru_cache(_ADDRESSES_KEPT)
def _address(actor_type: str, actor_id: str) -> Address:
    return Address(check_type(actor_type), check_id(actor_id))


@lru_cache(_METHODS_KEPT)
def _is_method(method: str) -> bool:
    return 0 < len(method) <= METHOD_CHARACTERS_MAX and _fits(method, METHOD_BYTES_MAX)


def _fits(value: str, bytes_max: int) -> bool:
    if value.isascii():
        return len(value) <= bytes_max
    try:
        return len(value.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False


def _media_type(content_type: str) -> str:
    # Many clients add a charset, which is UTF-8 here whatever it says.
    return content_type.partition(";")[0].strip().lower() or MSGPACK


def _quoted(caller: str) -> str:
    # An id may hold a space; percent-encoding just that and the sign itself keeps the rest readable.
    return caller.replace("%", "%25").replace(" ", "%20")


def _unquoted(caller: str) -> str:
    return caller.replace("%20", " ").replace("%25", "%")
