"""What a connection to Redis needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

#: So many connections in a row may prove dead before a call gives up.
ATTEMPTS_WITHIN_DEADLINE: Final = 3


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where Redis is and how long to wait for it.

    Attributes:
        url: `redis://`, `rediss://` (TLS) or `unix://`; may carry user, password and database.
        deadline_seconds: how long a call waits for its answer, over all attempts.
        prefix: how all keys begin; systems that share a database need different ones.
        channel_ttl_seconds: how long a reply channel outlives a client that died.

    """

    url: str = field(default="redis://127.0.0.1:6379/0", repr=False)
    deadline_seconds: float = 10.0
    prefix: str = "ba"
    channel_ttl_seconds: float = 60.0

    @property
    def attempt_seconds(self) -> float:
        """How long connecting, or one answer, may take before the connection counts as dead."""
        return self.deadline_seconds / ATTEMPTS_WITHIN_DEADLINE
