"""Every link leads somewhere, and every included part of a file exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, includes, links, name_of


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_into_the_project_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: no such file"
        assert target.is_relative_to(ROOT), f"{link}: outside of the project"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_included_parts_of_files_exist(page: Path) -> None:
    for path, section in includes(page):
        assert (ROOT / path).is_file(), f"{path}: no such file"
        lines = (ROOT / path).read_text().splitlines()
        for edge in ("start", "end") if section else ():
            marks = [line for line in lines if line.strip(" #") == f"--8<-- [{edge}:{section}]"]
            assert len(marks) == 1, f"{path}: no section {section}, or two"


def test_index_leads_to_every_page() -> None:
    listed = {
        (ROOT / "docs" / link.partition("#")[0]).resolve() for link in links(ROOT / "docs" / "index.md")
    }
    shown = {page for page in PAGES if page.parent.name != "adr"} - {ROOT / "docs" / "index.md"}
    assert shown <= listed, f"not in docs/index.md: {sorted(map(name_of, shown - listed))}"
