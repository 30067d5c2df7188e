"""The tables of a page, for tests that hold them against the code."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import ROOT


def section(page: str, heading: str) -> str:
    """Return what stands in docs/how-to/*page* below *heading*, up to the next heading."""
    text = f"{(Path(ROOT) / 'docs' / 'how-to' / page).read_text()}\n#"
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)^#", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no {heading}"
    return found[1]


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table there, without its head."""
    lines = [line for line in section(page, heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def codes(page: str, heading: str) -> list[str]:
    """Return what is code in the first column there."""
    return [code for row in rows(page, heading) for code in re.findall(r"`([^`]+)`", row[0])]
