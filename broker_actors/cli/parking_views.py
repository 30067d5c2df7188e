"""What is printed of the messages an actor has parked, also of those nobody can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from broker_actors.cli import actor_views
from broker_actors.core import history
from broker_actors.core.parking import Parked
from broker_actors.ports.parking import NEVER_MS

COLUMNS: Final = ("parked", "method", "from", "attempt", "due", "failed with")


def row(place: int, parked: Parked | None) -> tuple[str, ...]:
    """Return one entry, the *place*-th from 1, as a line of a table of `COLUMNS`."""
    if parked is None:
        return (str(place), "cannot be read", "-", "-", "-", "-")
    envelope = parked.envelope
    due = actor_views.moment(parked.due_ms) if 0 < parked.due_ms < NEVER_MS else "-"
    where = (str(place), envelope.method, envelope.sender or "-")
    return (*where, str(envelope.attempt), due, _last_error(parked) or "-")


def documents(entries: Sequence[Parked | None]) -> list[dict[str, object] | None]:
    """Return *entries* for a machine; None for one that cannot be read."""
    return [None if parked is None else _document(parked) for parked in entries]


def _document(parked: Parked) -> dict[str, object]:
    envelope = parked.envelope
    return {
        "method": envelope.method,
        "sender": envelope.sender or None,
        "identity": envelope.identity,
        "attempt": envelope.attempt,
        "due_ms": parked.due_ms if 0 < parked.due_ms < NEVER_MS else None,
        "error": _last_error(parked) or None,
    }


def _last_error(parked: Parked) -> str:
    match history.read(parked.envelope.history):
        case [*_, {"error": str(error)}]:
            return error
        case _:
            return ""
