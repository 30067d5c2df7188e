"""What a turn sends, as it lies in the outbox until the broker has confirmed it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final, cast

from broker_actors.core import codec, topology
from broker_actors.core.errors import Plain, UndecodableError
from broker_actors.core.light import dataclass
from broker_actors.core.topology import Layout, Route
from broker_actors.core.wire import BODY_BYTES_MAX, HeaderValue, WireMessage, text, whole

#: Items of one outbox that the broker has not taken yet. Retries and dead letters may exceed it.
OUTBOX_ITEMS_MAX: Final = 1_000
#: Incarnation and number. No packed item begins with a hexadecimal digit.
_MARK: Final = re.compile(rb"([0-9a-f]{1,32}):([1-9][0-9]{0,18}):")


class Destination(StrEnum):
    """Where an outgoing message goes."""

    MAILBOX = "mailbox"
    DELAY = "delay"
    DEAD = "dead"
    #: The channel of a caller, in the store; see `core.unanswered`.
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way.

    Attributes:
        destination: its target's mailbox, the delay levels, the dead letters, or who asked.
        message: what to publish; its headers name the actor.
        due_ms: for delays, the Unix milliseconds at which it is to arrive.

    """

    destination: Destination
    message: WireMessage
    due_ms: int = 0

    @property
    def actor_type(self) -> str:
        """The actor type it belongs to: of the mailbox it came from, for a letter nobody could read."""
        return text(self.message.headers, "ba-route") or text(self.message.headers, "ba-type")

    @property
    def target(self) -> str:
        """In whose order it is, `Counter/c1`; empty for what has none: it waits, is dead or goes by a key."""
        headers = self.message.headers
        if self.destination is not Destination.MAILBOX or not text(headers, "ba-sender"):
            return ""
        return f"{text(headers, 'ba-type')}/{text(headers, 'ba-id')}"

    @property
    def sender(self) -> str:
        """The sender incarnation that numbered it; empty if it has no number."""
        headers = self.message.headers
        return text(headers, "ba-sender") if whole(headers, "ba-seq", 0) else ""

    @property
    def seq(self) -> int:
        """Its number among this sender's to its target; 0 for none."""
        return whole(self.message.headers, "ba-seq", 0)

    def with_low(self, low: int) -> Outgoing:
        """Return this with the lowest number that has not left yet."""
        return self._with({"ba-low": low})

    def marked(self, by: bytes) -> Outgoing:
        """Return this numbered by the mark *by*; as it is for an empty one.

        Raises:
            UndecodableError: it is no mark.

        """
        if not by:
            return self
        if (found := _MARK.fullmatch(by)) is None:
            raise UndecodableError(f"not the mark of an outgoing message: {by!r:.80}")
        sender = f"{text(self.message.headers, 'ba-sender')}#{found[1].decode()}"
        seq = int(found[2])
        return self._with({"ba-sender": sender, "ba-seq": seq, "ba-low": seq})

    def _with(self, headers: Mapping[str, HeaderValue]) -> Outgoing:
        return replace(self, message=replace(self.message, headers={**self.message.headers, **headers}))

    def route(self, layout: Layout | None, now_ms: int) -> Route:
        """Return where to publish it now.

        Args:
            layout: of the target's type; needed for mailboxes only.
            now_ms: Unix milliseconds.

        Raises:
            UndecodableError: a mailbox is meant and *layout* is missing, or it is a reply.

        """
        match self.destination:
            case Destination.DELAY:
                return topology.waiting_route(self.due_ms, now_ms)
            case Destination.DEAD:
                return topology.dead_route(self.actor_type)
            case Destination.MAILBOX:
                if layout is None:
                    raise UndecodableError(f"no layout for actor type {self.actor_type}")
                return Route(topology.ACTORS, layout.key_of(text(self.message.headers, "ba-id")))
            case Destination.REPLY:
                raise UndecodableError(f"a reply to {self.message.reply_to} is not for the broker")


def mark(incarnation: str, seq: int) -> bytes:
    """Return what a store keeps before a numbered item: it is the store that gives the number."""
    return f"{incarnation}:{seq}:".encode()


def pack(item: Outgoing) -> bytes:
    """Return *item* as the bytes an outbox keeps."""
    message = item.message
    fields = [
        item.destination.value,
        item.due_ms,
        dict(message.headers),
        message.body,
        message.content_type,
        message.type,
        message.correlation_id,
        message.reply_to,
        message.timestamp_seconds,
    ]
    # Twice the limit of a body: a dead letter carries its envelope and a traceback.
    return codec.encode(fields, what="outgoing message", bytes_max=2 * BODY_BYTES_MAX)


def unpack(data: bytes) -> Outgoing:
    """Return the item in *data*, with its number if a mark is before it.

    Raises:
        UndecodableError: it is not one.
        PayloadTooLargeError: it is over its limit.

    """
    found = _MARK.match(data)
    by = found[0] if found else b""
    return _unpack(data[len(by) :]).marked(by)


def _unpack(data: bytes) -> Outgoing:
    match codec.decode(data, bytes_max=2 * BODY_BYTES_MAX):
        case [
            str(destination),
            int(due_ms),
            dict(headers),
            bytes(body),
            str(content_type),
            str(method),
            str(correlation_id),
            str(reply_to),
            int(timestamp),
        ] if (
            destination in set(Destination)
            and _is_table(cast("Mapping[object, Plain]", headers))
            and bool not in (type(due_ms), type(timestamp))
        ):
            message = WireMessage(headers, body, content_type, method, correlation_id, reply_to, timestamp)
            return Outgoing(Destination(destination), message, due_ms)
        case other:
            raise UndecodableError(f"not an outgoing message: {_short(other)}")


def _is_table(headers: Mapping[object, Plain]) -> bool:
    return all(isinstance(name, str) for name in headers)


def _short(value: Plain) -> str:
    return repr(value)[:80]
