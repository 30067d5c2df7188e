"""The name of one streaming call: `Assistant/ada/3f2a...`, with which any process can resume it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from broker_actors.core.address import Address, check_id, check_type
from broker_actors.core.checks import is_text
from broker_actors.core.envelope import KEY_BYTES_MAX
from broker_actors.core.errors import ConfigurationError

_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class CallId:
    """Which call of which actor.

    Attributes:
        address: the actor.
        key: the call's key, scoped to the actor.

    """

    address: Address
    key: str

    def __str__(self) -> str:
        """Return it as one text without spaces, which `parse` reads."""
        return "/".join((self.address.type, quote(self.address.id, safe=""), quote(self.key, safe="")))

    @classmethod
    def parse(cls, text: str) -> CallId:
        """Read a call id.

        Raises:
            ConfigurationError: it is none.

        """
        if not is_text(text):
            raise ConfigurationError(f"{text!r:.200} is no call id, which is a text: take `stream.call_id`")
        parts = text.split("/")
        if len(parts) != _PARTS:
            raise ConfigurationError(f"{text!r:.200} is no call id: take `stream.call_id` as it is")
        actor_type, actor_id, key = parts[0], unquote(parts[1]), unquote(parts[2])
        if not key or len(key.encode(errors="replace")) > KEY_BYTES_MAX:
            raise ConfigurationError(f"{text!r:.200} is no call id: its last part is the key of the call")
        return cls(Address(check_type(actor_type), check_id(actor_id)), key)
