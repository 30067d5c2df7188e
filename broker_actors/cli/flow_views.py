"""What is printed of a durable flow as the store holds it, without its code and without waking it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import TypeAdapter, ValidationError

from broker_actors.cli import ages
from broker_actors.cli.actor_views import state_of
from broker_actors.core.address import Address
from broker_actors.core.errors import Plain
from broker_actors.flow import Promise, Status
from broker_actors.flow.durable.run import Run
from broker_actors.ports.store import Snapshot

COLUMNS: Final = ("id", "status", "at", "step", "items", "moved", "error")
TRAIL_COLUMNS: Final = ("node", "action")
_RUN: Final = TypeAdapter(Run)


def run_of(snapshot: Snapshot | None) -> Run | None:
    """Return the run that *snapshot* holds; None if it is no flow, or one that was never started."""
    state = state_of(snapshot) if snapshot is not None else None
    if not isinstance(state, Mapping) or "run" not in state:
        return None
    try:
        run = _RUN.validate_python(state["run"])
    except ValidationError:
        return None
    return None if run.status is Status.NEW else run


def row(actor_id: str, run: Run, now_ms: int) -> tuple[str, ...]:
    """Return *run* as a line of a table of `COLUMNS`."""
    return (
        actor_id,
        run.status.value,
        run.at or "-",
        str(run.step),
        _items(run),
        f"{_age(run.moved_ms, now_ms)} ago",
        run.error or "; ".join(run.problems) or "-",
    )


def fields(address: Address, run: Run, now_ms: int) -> Mapping[str, str]:
    """Return what there is to know of *run* but its trail, by name, for a person; nothing that is empty."""
    found = {
        "flow": str(address),
        "status": run.status.value,
        "at": run.at,
        "promise": ", ".join(promises_of(address, run)),
        "step": str(run.step),
        "items": _items(run).removeprefix("-"),
        "attempt": str(run.attempt + 1) if run.attempt else "",
        "started": f"{_age(run.started_ms, now_ms)} ago",
        "moved": f"{_age(run.moved_ms, now_ms)} ago",
        "action": "" if run.action is None else str(run.action),
        "error": run.error,
        "held up": "; ".join(run.problems),
        "not undone": "; ".join(run.uncompensated),
    }
    return {name: value for name, value in found.items() if value}


def document(address: Address, run: Run) -> dict[str, object]:
    """Return *run* for a machine."""
    return {
        "id": address.id,
        "status": run.status.value,
        "at": run.at or None,
        "step": run.step,
        "promise": next(iter(promises_of(address, run)), None),
        "promises": promises_of(address, run),
        "items": None if run.items is None else dict(zip(("ended", "all"), run.items, strict=True)),
        "started_ms": run.started_ms,
        "moved_ms": run.moved_ms,
        "action": run.action,
        "error": run.error or None,
        "problems": run.problems,
        "uncompensated": run.uncompensated,
        "trail": [{"node": one.node, "action": one.action} for one in run.trail],
    }


def trail(run: Run) -> list[tuple[str, ...]]:
    """Return the latest visits as lines of a table of `TRAIL_COLUMNS`, oldest first."""
    return [(one.node, "-" if one.action is None else str(one.action)) for one in run.trail]


def promises_of(address: Address, run: Run) -> list[str]:
    """Return what would let *run* go on; several if rounds wait beside each other."""
    return [str(Promise(address, strand.at, strand.step)) for strand in run.waiting]


def shared_of(snapshot: Snapshot) -> Plain:
    """Return what the nodes share."""
    state = state_of(snapshot)
    return state.get("shared") if isinstance(state, Mapping) else None


def _items(run: Run) -> str:
    return "-" if run.items is None else "{}/{}".format(*run.items)


def _age(since_ms: int, now_ms: int) -> str:
    return ages.shown(max(0, now_ms - since_ms) / 1000)
