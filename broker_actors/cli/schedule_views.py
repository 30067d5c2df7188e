"""What is printed of a delayed tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker_actors.cli import ages
from broker_actors.cli.actor_views import moment
from broker_actors.core.scheduled import Scheduled

COLUMNS: Final = ("due", "in", "actor", "method", "id")


def row(entry: Scheduled, now_ms: int) -> tuple[str, ...]:
    """Return *entry* as a line of a table of `COLUMNS`."""
    return (moment(entry.due_ms), _in(entry, now_ms), str(entry.address), entry.method, entry.id)


def fields(entry: Scheduled, now_ms: int) -> Mapping[str, str]:
    """Return what there is to know of *entry*, by name, for a person."""
    return {
        "id": entry.id,
        "actor": str(entry.address),
        "method": entry.method,
        "due": f"{moment(entry.due_ms)} ({_in(entry, now_ms)})",
    }


def document(entry: Scheduled, now_ms: int) -> dict[str, object]:
    """Return *entry* for a machine."""
    return {
        "id": entry.id,
        "type": entry.address.type,
        "actor": entry.address.id,
        "method": entry.method,
        "due_ms": entry.due_ms,
        "in_seconds": (entry.due_ms - now_ms) / 1000,
    }


def _in(entry: Scheduled, now_ms: int) -> str:
    left_seconds = (entry.due_ms - now_ms) / 1000
    return ages.shown(left_seconds) if left_seconds >= 0 else f"{ages.shown(-left_seconds)} late"
