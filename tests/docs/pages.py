"""The project's pages, and what in them can be checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "docs" / "examples"
README: Final = ROOT / "README.md"
PAGES: Final = [README, *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK: Final = re.compile(
    r'^(?P<indent> *)```(?P<language>[\w-]*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)
_INLINE_CODE: Final = re.compile(r"`[^`\n]+`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)", re.MULTILINE)
_INCLUDE: Final = re.compile(r'^ *--8<-- "([^":]+)(?::([\w-]+))?"', re.MULTILINE)
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the name of its file if it has one, and its text."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def is_include(self) -> bool:
        """Whether it stands for a part of another file."""
        return _INCLUDE.match(self.text) is not None

    @property
    def file(self) -> Path:
        """Where the file it shows lies: among the examples of its page, or among the workers."""
        return (ROOT if self.title.startswith("workers/") else examples_of(self.page)) / self.title

    def __str__(self) -> str:
        """Return where it is, as test ids and messages name it."""
        return f"{name_of(self.page)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command in a console block, and what the page says it prints.

    Attributes:
        page: where it is.
        line: what is typed; `^C` for stopping what runs.
        output: what it prints, without the last newline.
        on_servers: whether the page has named real servers before.

    """

    page: Path
    line: str
    output: str
    on_servers: bool

    def __str__(self) -> str:
        """Return where it is, as test ids and messages name it."""
        return f"{name_of(self.page)}: {self.line}"


def name_of(path: Path) -> str:
    """Return *path* as seen from the root of the project."""
    return path.relative_to(ROOT).as_posix()


def examples_of(page: Path) -> Path:
    """Return the folder with the examples of *page*: what its reader has after following it."""
    return EXAMPLES / page.stem


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of *page*."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, found["language"], found["title"] or "", found["text"])


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands in the console blocks of *page*: lines that begin with `$`, and `^C`."""
    on_servers = False
    for block in blocks(page):
        if block.language == "console" and block.text.startswith(("$ ", "^C")):
            for part in re.split(r"^(?:\$ |(?=\^C))", block.text, flags=re.MULTILINE)[1:]:
                line, _, output = part.partition("\n")
                on_servers |= line.startswith("export BROKER_ACTORS_URL=")
                yield Command(page, line, output.rstrip("\n"), on_servers)


def links(page: Path) -> Iterator[str]:
    """Yield the targets of *page*'s links into the project, with their anchors."""
    text = _INLINE_CODE.sub("", _BLOCK.sub("", page.read_text()))
    for inline, reference in _LINK.findall(text):
        target = inline or reference
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """Return what the headings of *page* are called in links."""
    headings = _HEADING.findall(_BLOCK.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def includes(page: Path) -> list[tuple[str, str]]:
    """Return the files, with their sections, that *page* includes."""
    return _INCLUDE.findall(page.read_text())
