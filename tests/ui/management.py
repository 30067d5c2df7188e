"""The broker's own UI as a person uses it: pages, filters, buttons, and what can be read there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from playwright.async_api import Locator, Page, expect

#: The broker's statistics are some seconds late, and the page asks for them every five.
PATIENCE_MS: Final = 20_000
#: Wide enough for rows of one line, narrow enough to be read in a page of documentation.
WIDTH_PIXELS: Final = 1200
PICTURE_BYTES_MAX: Final = 200_000

#: How often the list of queues is looked at: it renews itself, and says nothing of it.
_GLANCE_MS: Final = 200
# The last row of headings, and the rows below it.
_CELLS: Final = """
tables => tables.flatMap(table => [...table.rows].slice(table.tHead.rows.length - 1)).map(
  row => [...row.cells].map(cell => cell.innerText.trim())
)
"""
# The page's head stays where it is while the page scrolls, and would cover what a picture is of.
_STYLE: Final = "#header { position: static !important } #main { padding-top: 0 !important }"


class Management:
    """A browser's page on the management UI, logged in.

    Args:
        page: of a browser.
        url: of the UI.
        pictures: the folder that pictures are kept in.

    """

    def __init__(self, page: Page, url: str, pictures: Path) -> None:
        self.page = page
        self._url = url
        self._pictures = pictures
        page.set_default_timeout(PATIENCE_MS)

    async def log_in(self, user: str, password: str) -> None:
        """Pass the front page."""
        await self.page.goto(self._url)
        await self.page.fill("input[name=username]", user)
        await self.page.fill("input[name=password]", password)
        await self.page.click("input[type=submit]")
        await expect(self.page.locator("#logout")).to_contain_text(user, timeout=PATIENCE_MS)
        await expect(self.page.locator("#main h1")).to_have_text("Overview", timeout=PATIENCE_MS)

    async def queues(self, pattern: str, holds: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Show the queues whose names match *pattern*; return how many messages are ready in each.

        Waits until that *holds*.
        """
        await self.page.click("#tabs a[href='#/queues']")
        table = self.page.locator("#main table.list")
        seen: dict[str, str] = {}
        for _ in range(PATIENCE_MS // _GLANCE_MS):
            await self._filter(pattern)
            seen = await _column(table, "Ready")
            if holds(seen) and all(re.search(pattern, name) for name in seen):
                return seen
            await self.page.wait_for_timeout(_GLANCE_MS)
        raise AssertionError(f"the page shows {seen}")

    async def _filter(self, pattern: str) -> None:
        """Enter the filter, again if the page has renewed itself in the meantime."""
        name, mode = self.page.locator("#queues-name"), self.page.locator("#queues-filter-regex-mode")
        if await name.input_value() != pattern:
            await name.fill(pattern)
            await name.press("Enter")
        elif not await mode.is_checked():
            await mode.check()

    async def open_queue(self, name: str) -> None:
        """Go to the page of the queue *name*."""
        await self.page.goto(f"{self._url}#/queues/%2F/{quote(name, safe='')}")
        await expect(self.page.locator("#main h1")).to_have_text(f"Queue {name}", timeout=PATIENCE_MS)

    async def section(self, title: str) -> Locator:
        """Return the section *title* of the page, opened."""
        found = self.page.locator("#main > div", has=self.page.locator("h2", has_text=title)).last
        if not await found.locator(".hider").first.is_visible():
            await found.locator("h2").click()
        await expect(found.locator(".hider").first).to_be_visible()
        return found

    async def get_messages(self, count: int) -> list[dict[str, str]]:
        """Press Get Message(s), in the mode that puts them back; return what is shown of each.

        Once after `open_queue`: what an earlier press has brought could be taken for the answer.
        """
        section = await self.section("Get messages")
        await expect(section.locator("select[name=ackmode] option:checked")).to_have_text(
            "Nack message requeue true"
        )
        await section.locator("input[name=count]").fill(str(count))
        await section.locator("input[type=submit]").click()
        boxes = section.locator(".box")
        await expect(boxes).to_have_count(count, timeout=PATIENCE_MS)
        await self.page.wait_for_function("() => jQuery(':animated').length === 0")
        return [_facts(await boxes.nth(n).inner_text()) for n in range(count)]

    async def picture(self, name: str, *parts: Locator) -> None:
        """Keep a picture of the first to the last of *parts*, small enough for a page."""
        await self.page.add_style_tag(content=_STYLE)
        boxes = [await part.bounding_box() for part in parts]
        known = [box for box in boxes if box is not None]
        assert len(known) == len(parts), "not on the page"
        top, bottom = min(box["y"] for box in known), max(box["y"] + box["height"] for box in known)
        area = await self.page.evaluate("() => ({ x: scrollX, y: scrollY })")
        image = await self.page.screenshot(
            path=self._pictures / f"{name}.png",
            full_page=True,
            animations="disabled",
            clip={"x": 0, "y": top + area["y"], "width": WIDTH_PIXELS, "height": bottom - top + 8},
        )
        assert len(image) < PICTURE_BYTES_MAX, f"{name}: {len(image)} bytes"


async def _column(table: Locator, heading: str) -> dict[str, str]:
    headings, *rows = await _rows(table) or [[]]
    if heading not in headings:
        return {}  # the page is being renewed, or nothing passes its filter
    return {row[headings.index("Name")]: row[headings.index(heading)] for row in rows}


async def _rows(table: Locator) -> list[list[str]]:
    rows: list[list[str]] = await table.evaluate_all(_CELLS)
    return rows


def _facts(text: str) -> dict[str, str]:
    """Return the lines `name: value` of a message as the page shows it, and its payload."""
    lines = text.splitlines()
    # A first name in a group shares its line with the name of the group.
    cells = [line.split("\t") for line in lines if "\t" in line]
    return {row[-2].removesuffix(":"): row[-1] for row in cells} | {"payload": lines[-1]}
