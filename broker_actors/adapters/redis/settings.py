"""What a connection to Redis needs to know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

#: Host and port of a server.
Place: TypeAlias = tuple[str, int]

PORT: Final = 6379
#: Scheme and credentials, hosts, the rest. A password may have a comma, hosts have it between them.
_URL: Final = re.compile(r"(?P<before>\w+://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*)(?P<after>.*)", re.DOTALL)

#: So many connections in a row may prove dead before a call gives up.
ATTEMPTS_WITHIN_DEADLINE: Final = 3


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where Redis is and how long to wait for it.

    Attributes:
        url: `redis://`, `rediss://` (TLS) or `unix://`; may carry user, password and database. Several nodes
            of one cluster have commas between them: `redis://one:6379,two:6379`.
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

    @property
    def first_url(self) -> str:
        """The URL with the first of its hosts only."""
        if (found := _URL.fullmatch(self.url)) is None or "," not in found["hosts"]:
            return self.url
        return f"{found['before']}{found['hosts'].partition(',')[0]}{found['after']}"

    @property
    def seeds(self) -> tuple[Place, ...]:
        """The hosts of the URL, if there are several."""
        if (found := _URL.fullmatch(self.url)) is None or "," not in found["hosts"]:
            return ()
        return tuple(_place(host) for host in found["hosts"].split(","))


def _place(host: str) -> Place:
    name, _, port = host.rpartition(":")
    # Brackets are how a URL writes IPv6.
    return (name.strip("[]"), int(port)) if name and port.isdigit() else (host.strip("[]"), PORT)
