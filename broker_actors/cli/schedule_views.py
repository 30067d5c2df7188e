"""What is printed of something that is planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker_actors.cli import ages
from broker_actors.cli.actor_views import moment
from broker_actors.cli.planned import Planned

COLUMNS: Final = ("due", "in", "actor", "method", "repeats", "id")


def row(one: Planned, now_ms: int) -> tuple[str, ...]:
    """Return *one* as a line of a table of `COLUMNS`."""
    entry = one.entry
    when = (moment(entry.due_ms), _in(one, now_ms))
    return (*when, str(entry.address), entry.method, one.rhythm or "-", entry.id)


def fields(one: Planned, now_ms: int) -> Mapping[str, str]:
    """Return what there is to know of *one*, by name, for a person."""
    entry = one.entry
    known = {
        "id": entry.id,
        "actor": str(entry.address),
        "method": entry.method,
        "due": f"{moment(entry.due_ms)} ({_in(one, now_ms)})",
    }
    return known if not one.rhythm else {**known, "repeats": one.rhythm, "missed": one.missed}


def document(one: Planned, now_ms: int) -> dict[str, object]:
    """Return *one* for a machine."""
    entry = one.entry
    return {
        "id": entry.id,
        "type": entry.address.type,
        "actor": entry.address.id,
        "method": entry.method,
        "due_ms": entry.due_ms,
        "in_seconds": (entry.due_ms - now_ms) / 1000,
        "repeats": one.rhythm or None,
        "missed": one.missed or None,
    }


def _in(one: Planned, now_ms: int) -> str:
    left_seconds = (one.entry.due_ms - now_ms) / 1000
    return ages.shown(left_seconds) if left_seconds >= 0 else f"{ages.shown(-left_seconds)} late"
