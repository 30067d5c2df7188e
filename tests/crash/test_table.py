"""The crash table names every point, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.crash.points import POINTS

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "crashes.md"


def test_the_crash_table_has_every_point_once() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(listed) == sorted(point.name for point in POINTS)
