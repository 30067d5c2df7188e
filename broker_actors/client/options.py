"""How long the calls of one client take, wait and travel, where they do not say so themselves."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

from broker_actors.core.envelope import MSGPACK
from broker_actors.core.errors import ConfigurationError
from broker_actors.ports.calling import ASK_SECONDS_MAX, Call

ASK_TIMEOUT_SECONDS: Final = 30.0
#: How much of its time an ask may wait for room: what gets it at the very end is answered too late.
WAITING_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Defaults of one client.

    Attributes:
        ask_timeout_seconds: deadline of asks that name none.
        content_type: encoding of calls that name none.
        wait_if_full_seconds: how long calls that do not say wait for room in a full mailbox.

    """

    ask_timeout_seconds: float = ASK_TIMEOUT_SECONDS
    content_type: str = MSGPACK
    wait_if_full_seconds: float = 0.0

    def timeout_seconds(self, call: Call) -> float:
        """Return how long the ask *call* may take.

        Raises:
            ConfigurationError: no ask may take that long, or that little.

        """
        timeout = call.options.timeout_seconds
        seconds = self.ask_timeout_seconds if timeout is None else timeout
        if not 0 < seconds <= ASK_SECONDS_MAX:
            text = f"timeout={seconds}: an ask needs a deadline above 0 and up to {ASK_SECONDS_MAX:g} s"
            raise ConfigurationError(text)
        return seconds

    def wait_seconds(self, call: Call, timeout_seconds: float = inf) -> float:
        """Return how long *call*, which may take *timeout_seconds*, may wait for room in a full mailbox."""
        wanted = call.options.wait_if_full_seconds
        seconds = self.wait_if_full_seconds if wanted is None else wanted
        return min(seconds, WAITING_SHARE * timeout_seconds)
