"""The page about checking a deployment names every check, and no other."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[4]
_SOURCES = [
    *(_ROOT / "broker_actors" / "core" / "diagnosis").glob("*.py"),
    _ROOT / "broker_actors" / "bootstrap" / "diagnosis.py",
]
#: Checks of both servers are named after the server.
_OF_BOTH = {f"{server}.{name}" for server in ("broker", "store") for name in ("clock", "latency")}


def test_every_check_is_in_the_table() -> None:
    sources = "".join(path.read_text() for path in _SOURCES)
    checks = set(re.findall(r'"((?:broker|store|settings|actors)\.[a-z_]+)"', sources)) | _OF_BOTH
    page = (_ROOT / "docs" / "how-to" / "checking-a-deployment.md").read_text()
    table = page.partition("## What is checked")[2].partition("\n## ")[0]
    assert set(re.findall(r"`((?:broker|store|settings|actors)\.[a-z_]+)`", table)) == checks
