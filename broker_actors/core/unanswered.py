"""A reply that is not known to have reached its caller, as it lies in the outbox of its actor.

The broker has forgotten what was parked, so nobody would be answered whose worker dies
between commit and reply: the reply is committed with the turn, and leaves the outbox when
it was given to the caller's channel. Invariant: it may be given twice, for a caller takes
the first.
"""

from __future__ import annotations

from broker_actors.core.envelope import Envelope
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.reply import Reply
from broker_actors.core.wire import WireMessage


def to_send(envelope: Envelope, reply: Reply) -> Outgoing:
    """Return the item that answers *envelope* with *reply*."""
    headers = {"ba-type": envelope.address.type, "ba-id": envelope.address.id}
    known = (headers, reply.body, reply.content_type, envelope.method)
    message = WireMessage(*known, envelope.correlation_id, envelope.reply_to, envelope.sent_seconds)
    return Outgoing(Destination.REPLY, message)


def reply_of(item: Outgoing) -> Reply:
    """Return the reply in *item*; whom it is for is said by its message."""
    return Reply(item.message.body, item.message.content_type)
