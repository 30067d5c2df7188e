"""What workers say of themselves in the store: who lives, what they consume, how they are.

Invariant: what `pack` returns, the `unpack` of this and of later versions reads; an entry nobody
can read is a member that is skipped, never an error that stops the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self, TypeGuard, cast

from broker_actors.core import codec
from broker_actors.core.errors import PayloadTooLargeError, Plain, UndecodableError

#: A worker that did not renew for this long is taken for dead by the others.
LEASE_SECONDS: Final = 5.0
#: How often a worker renews its lease and looks at who else is there.
BEAT_SECONDS: Final = 0.5
#: Ten thousand dedicated mailboxes with long names fit.
_BYTES_MAX: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """A worker, as the others see it.

    Attributes:
        name: unique for each start of a worker.
        types: the actor types it runs.
        consuming: the mailboxes it has a consumer on, active or standing by.
        leaving: it is being stopped and takes nothing new.
        place: host and process, for people: `web-1:4711`.
        health: why it does not do its work now; empty if it does.
        channel: the channel of its process, by which it hears of calls that were given up; empty for none.

    """

    name: str
    types: frozenset[str]
    consuming: frozenset[str] = frozenset()
    leaving: bool = False
    place: str = ""
    health: str = ""
    channel: str = ""

    def pack(self) -> bytes:
        """Return this entry as bytes; equal members give equal bytes."""
        fields = {
            "types": sorted(self.types),
            "consuming": sorted(self.consuming),
            "leaving": self.leaving,
            "place": self.place,
            "health": self.health,
            "channel": self.channel,
        }
        return codec.encode(fields, what="member", bytes_max=_BYTES_MAX)

    @classmethod
    def unpack(cls, name: str, data: bytes) -> Self | None:
        """Return the member *name* said to be; None if it cannot be read."""
        match _decode(data):
            case {
                "types": list(types),
                "consuming": list(consuming),
                "leaving": bool(leaving),
                "place": str(place),
                "health": str(health),
                **more,
            } if _are_names(types) and _are_names(consuming):
                return cls(
                    *(name, frozenset(types), frozenset(consuming), leaving, place, health),
                    # Workers of an earlier release do not say it.
                    channel=str(more.get("channel", "")),
                )
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Held:
    """What a worker holds of one mailbox: delivered and not yet acknowledged.

    Attributes:
        count: how many deliveries.
        oldest_ms: when the oldest of them was published, Unix milliseconds; 0 if it does not say.

    """

    count: int
    oldest_ms: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """How a worker is doing, for people.

    Attributes:
        residents: live actors.
        running: turns that run.
        held: by mailbox, those with something only.

    """

    residents: int = 0
    running: int = 0
    held: Mapping[str, Held] = field(default_factory=lambda: MappingProxyType({}))

    def pack(self) -> bytes:
        """Return this report as bytes."""
        held: dict[str, Plain] = {name: [one.count, one.oldest_ms] for name, one in self.held.items()}
        fields: dict[str, Plain] = {"residents": self.residents, "running": self.running, "held": held}
        return codec.encode(fields, what="report", bytes_max=_BYTES_MAX)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the report in *data*; an empty one if it cannot be read."""
        match _decode(data):
            case {"residents": int(residents), "running": int(running), "held": dict(held)}:
                return cls(residents, running, MappingProxyType(dict(_held(held))))
            case _:
                return cls()


def _held(entries: Mapping[str, Plain]) -> list[tuple[str, Held]]:
    found: list[tuple[str, Held]] = []
    for name, entry in entries.items():
        match entry:
            case [int(count), int(oldest_ms)]:
                found.append((name, Held(count, oldest_ms)))
            case _:
                continue
    return found


def _are_names(values: object) -> TypeGuard[list[str]]:
    return all(isinstance(value, str) for value in cast("list[object]", values))


def _decode(data: bytes) -> Plain:
    try:
        return codec.decode(data, bytes_max=_BYTES_MAX)
    except (UndecodableError, PayloadTooLargeError):
        return None
