"""What the attempts of one envelope failed with: bounded JSON text, carried in a header."""

from __future__ import annotations

import json
from typing import Final

from broker_actors.core.errors import ErrorRecord

ATTEMPTS_KEPT_MAX: Final = 20
_ERROR_CHARACTERS_MAX: Final = 200


def summary(error: ErrorRecord) -> str:
    """Return *error* in one line, for headers and lists."""
    return f"{error.type}: {error.message}"[:_ERROR_CHARACTERS_MAX]


def appended(history: str, attempt: int, error: ErrorRecord, now_ms: int) -> str:
    """Return *history* with one failed attempt more; the oldest beyond the bound are dropped."""
    entries = [*read(history), {"attempt": attempt, "at_ms": now_ms, "error": summary(error)}]
    return json.dumps(entries[-ATTEMPTS_KEPT_MAX:], ensure_ascii=True, separators=(",", ":"))


def read(history: str) -> list[object]:
    """Return the entries; none for text that is not a history, which anybody may have written."""
    try:
        entries = json.loads(history) if history else []
    except (ValueError, RecursionError):
        return []
    return entries if isinstance(entries, list) else []
