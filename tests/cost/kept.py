"""The numbers that are kept in the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, TypeAlias

FILE: Final = Path(__file__).with_name("kept.json")
#: How much more a count may be than the number kept.
GROWTH_MAX: Final = 0.1


Counts: TypeAlias = dict[str, float]


def read() -> dict[str, Counts]:
    """Return the numbers kept, by where they were counted."""
    kept: dict[str, Counts] = json.loads(FILE.read_text(encoding="utf-8"))
    return kept


def write(found: dict[str, Counts]) -> None:
    """Keep *found* from now on."""
    FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def wrong(found: Counts, kept: Counts) -> list[str]:
    """Return a line for each count that is more than it may be, is not kept, or is kept and not counted."""
    grown = [
        f"{name}: {count:g} for each message, and {kept.get(name, 0):g} is kept: see python -m tests.cost"
        for name, count in found.items()
        if count > kept.get(name, 0) * (1 + GROWTH_MAX)
    ]
    return grown + [f"{name}: is kept, and nobody counts it" for name in kept if name not in found]
