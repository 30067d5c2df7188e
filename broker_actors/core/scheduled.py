"""A delayed tell as others know it: by which name it is listed and cancelled.

Invariant: it goes by its key, which the envelope carries to the actor. So cancelling is to
record the key as settled before anything ran under it, and whoever looks it up knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from broker_actors.core import reply
from broker_actors.core.address import Address, check_id, check_type
from broker_actors.core.call_id import CallId
from broker_actors.core.errors import ConfigurationError, ErrorRecord
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.wire import WireMessage, text, whole

#: How long it is remembered after its time that a tell was cancelled: it may be late.
CANCELLED_KEPT_SECONDS: Final = 7 * 86_400
#: What the record of a cancelled tell has in the place of a digest, which is longer.
CANCELLED: Final = b"cancelled"
#: What another call with the same key is answered.
CANCELLED_REPLY: Final = reply.of_error(
    ErrorRecord(
        "BusinessError", "BusinessError", "the delayed call with this key was cancelled", code="cancelled"
    )
)
#: On a message that is listed while it waits.
_LISTED: Final = "ba-schedule"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A tell that waits for its time.

    Attributes:
        address: the actor it is for.
        key: the key it goes by.
        method: what it calls; empty if unknown.
        due_ms: when it is to arrive, Unix milliseconds; 0 if unknown.

    """

    address: Address
    key: str
    method: str = ""
    due_ms: int = 0

    @property
    def id(self) -> str:
        """Its name, with which any process can cancel it."""
        return str(CallId(self.address, self.key))

    @classmethod
    def parse(cls, name: str) -> Scheduled:
        """Read the name of one.

        Raises:
            ConfigurationError: it is none.

        """
        try:
            call = CallId.parse(name)
        except ConfigurationError as error:
            text = f"{name!r:.200} is no id of a delayed tell: take the `id` of its handle as it is"
            raise ConfigurationError(text) from error
        return cls(call.address, call.key)


def listed(message: WireMessage) -> WireMessage:
    """Return *message*, which has a key, as one that is listed while it waits."""
    return replace(message, headers={**message.headers, _LISTED: 1})


def is_listed(message: WireMessage) -> bool:
    """Return whether *message* is one that is listed while it waits."""
    return whole(message.headers, _LISTED, 0) == 1 and bool(text(message.headers, "ba-key"))


def entry_of(item: Outgoing) -> Scheduled | None:
    """Return by what *item* is listed while it waits; None if it is not."""
    headers = item.message.headers
    if not is_listed(item.message):
        return None
    address = Address(check_type(text(headers, "ba-type")), check_id(text(headers, "ba-id")))
    return Scheduled(address, text(headers, "ba-key"), item.message.type, item.due_ms)
