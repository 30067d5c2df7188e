"""What is printed of a dead letter, whatever is in it: anybody can publish into a queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from broker_actors.cli import ages
from broker_actors.cli.output import jsonable
from broker_actors.core import body, dead, history
from broker_actors.core.dead import DeadLetter
from broker_actors.core.errors import PayloadTooLargeError, UndecodableError
from broker_actors.core.letters import Group, attempts_of

COLUMNS: Final = ("id", "age", "reason", "actor", "method", "error")
GROUP_COLUMNS: Final = ("count", "oldest", "newest", "reason", "error", "example")


def row(letter: DeadLetter, now_ms: int) -> tuple[str, ...]:
    """Return *letter* as a line of a table of `COLUMNS`."""
    age = ages.shown(_age_seconds(letter.died_ms, now_ms))
    return letter.id, age, letter.reason, _actor(letter), letter.message.type, letter.error


def group_row(group: Group, now_ms: int) -> tuple[str, ...]:
    """Return *group* as a line of a table of `GROUP_COLUMNS`."""
    oldest, newest = (ages.shown(_age_seconds(ms, now_ms)) for ms in (group.oldest_ms, group.newest_ms))
    return str(group.count), oldest, newest, group.reason, group.error, group.example


def fields(letter: DeadLetter, now_ms: int) -> Mapping[str, str]:
    """Return what there is to know of *letter* but its traceback, by name, for a person."""
    found = {
        "id": letter.id,
        "reason": letter.reason,
        "error": letter.error,
        "actor": _actor(letter),
        "method": letter.message.type,
        "call": json.dumps(jsonable(_call(letter)), ensure_ascii=False),
        "died": _died(letter, now_ms),
        "origin": letter.origin,
    }
    for one in attempts_of(letter):
        found[f"attempt {one.number}"] = f"{one.error} (after {one.after_seconds:.2f} s)"
    return found


def document(letter: DeadLetter, now_ms: int) -> dict[str, object]:
    """Return *letter* for a machine."""
    return {
        "id": letter.id,
        "age_seconds": _age_seconds(letter.died_ms, now_ms),
        "died_ms": letter.died_ms,
        "reason": letter.reason,
        "error": letter.error,
        "actor": _actor(letter),
        "method": letter.message.type,
        "call": _call(letter),
        "history": history.read(letter.history),
        "origin": letter.origin,
        "traceback": letter.traceback,
    }


def group_document(group: Group, now_ms: int) -> dict[str, object]:
    """Return *group* for a machine."""
    return {
        "count": group.count,
        "reason": group.reason,
        "error": group.error,
        "oldest_age_seconds": _age_seconds(group.oldest_ms, now_ms),
        "newest_age_seconds": _age_seconds(group.newest_ms, now_ms),
        "example_id": group.example,
    }


def _call(letter: DeadLetter) -> object:
    """Return the arguments, or the bytes that are none."""
    try:
        args, kwargs = body.decode(letter.message.body, letter.message.content_type)
    except (UndecodableError, PayloadTooLargeError):
        return letter.message.body
    return {"args": args, "kwargs": kwargs}


def _actor(letter: DeadLetter) -> str:
    address = dead.address_of(letter)
    return str(address) if address is not None else ""


def _died(letter: DeadLetter, now_ms: int) -> str:
    try:
        died = datetime.fromtimestamp(letter.died_ms / 1000, UTC)
    except (OSError, OverflowError, ValueError):
        # A whole number, and no date: anybody can publish into a queue.
        return str(letter.died_ms)
    if not letter.died_ms:
        return "unknown"
    return f"{died.isoformat(timespec='seconds')} ({ages.shown(_age_seconds(letter.died_ms, now_ms))} ago)"


def _age_seconds(died_ms: int, now_ms: int) -> float | None:
    return max(0, now_ms - died_ms) / 1000 if died_ms else None
