"""That an actor is suspended: why, since when, and how the store keeps it.

A suspended actor runs nothing: asks fail at once, tells wait in its parking. Invariant:
every release reads what another one wrote; a cause it does not know is kept as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker_actors.core import codec
from broker_actors.core.errors import UndecodableError

#: Of the error that is kept: what a person reads first.
ERROR_CHARACTERS_MAX: Final = 1_000


class Cause(StrEnum):
    """Why an actor is suspended."""

    FAULTS = "faults"
    STATE_UNDECODABLE = "state_undecodable"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Suspension:
    """An actor's suspension.

    Attributes:
        cause: one of `Cause`, or what a later release calls it.
        error: the last error, or what the operator said, in one line.
        since_ms: Unix milliseconds.

    """

    cause: str
    error: str
    since_ms: int

    def pack(self) -> bytes:
        """Return it as bytes."""
        error = self.error[:ERROR_CHARACTERS_MAX].encode(errors="replace").decode()
        return codec.encode({"c": str(self.cause), "e": error, "t": self.since_ms})


def unpack(data: bytes) -> Suspension:
    """Return what `pack` packed; of other bytes, a suspension that says so: the actor must not run then."""
    try:
        match codec.decode(data):
            case {"c": str(cause), "e": str(error), "t": int(since_ms)}:
                return Suspension(cause, error, since_ms)
            case _:
                pass
    except UndecodableError:
        pass
    return Suspension("unknown", "what the store holds of the suspension cannot be read", 0)
