"""What the attempts of one envelope failed with: bounded JSON text, carried in a header."""

from __future__ import annotations

import json
from typing import Final, cast

from broker_actors.core.errors import ErrorRecord
from broker_actors.core.wire import INTEGER_MAX

ATTEMPTS_KEPT_MAX: Final = 20
#: All of it, in ASCII: half of what a reader accepts in a header. A single attempt has 2,500 at the most.
HISTORY_CHARACTERS_MAX: Final = 8_192
_ERROR_CHARACTERS_MAX: Final = 200
#: Of an entry: the attempt, when it failed and with what.
_FIELDS: Final = 3


def summary(error: ErrorRecord) -> str:
    """Return *error* in one line, for headers and lists."""
    return " ".join(f"{error.type}: {error.message}".split())[:_ERROR_CHARACTERS_MAX]


def appended(history: str, attempt: int, error: ErrorRecord, now_ms: int) -> str:
    """Return *history* with one failed attempt more; the oldest beyond the bounds are dropped."""
    entries = [*read(history), {"attempt": attempt, "at_ms": now_ms, "error": summary(error)}]
    entries = entries[-ATTEMPTS_KEPT_MAX:]
    while len(text := json.dumps(entries, ensure_ascii=True, separators=(",", ":"))) > HISTORY_CHARACTERS_MAX:
        del entries[0]
    return text


def read(history: str) -> list[object]:
    """Return the entries in *history*, which anybody may have written: whatever is no entry is left out."""
    try:
        entries: object = json.loads(history) if history else []
    except (ValueError, RecursionError):
        return []
    if not isinstance(entries, list):
        return []
    return [entry for entry in cast("list[object]", entries) if _is_entry(entry)]


def _is_entry(entry: object) -> bool:
    match entry:
        case {"attempt": int(attempt), "at_ms": int(at_ms), "error": str(error)}:
            bounded = max(abs(attempt), abs(at_ms)) <= INTEGER_MAX and len(error) <= _ERROR_CHARACTERS_MAX
            return bounded and len(cast("dict[str, object]", entry)) == _FIELDS
        case _:
            return False
