"""The how-to shows the programs that the other tests here run, and they do what it says."""

from __future__ import annotations

import shlex
from typing import Final

import pytest

from tests.docs.pages import ROOT, blocks
from tests.foreign.service import ACTORS, ASKED, PROGRAMS, TELLS, Service

PAGE: Final = ROOT / "docs" / "how-to" / "from-any-service.md"
BLOCKS: Final = list(blocks(PAGE))
LINES_MAX: Final = 29


def test_every_program_is_shown_whole() -> None:
    shown = {block.title: block.text for block in BLOCKS if block.title}
    assert shown == {path.name: path.read_text() for path in PROGRAMS.iterdir() if path.is_file()}


def test_every_program_is_short_and_knows_nothing_of_this_package() -> None:
    for path in PROGRAMS.iterdir():
        if path.is_file() and path.name != ACTORS:
            text = path.read_text()
            assert len(text.splitlines()) <= LINES_MAX, path.name
            assert "broker_actors" not in text, path.name


def test_every_program_is_run_by_a_test() -> None:
    run = {*TELLS, *(program for program, _ in ASKED), "pika_anywhere.py", ACTORS}
    assert run == {path.name for path in PROGRAMS.iterdir() if path.is_file()}


@pytest.mark.verify
@pytest.mark.usefixtures("running")
async def test_what_is_typed_prints_what_the_page_says(service: Service) -> None:
    (typed,) = (block.text for block in BLOCKS if block.language == "sh")
    lines = typed.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if not line.startswith("#"):
            _interpreter, program, *arguments = shlex.split(line)
            ended = await service.run(program, *arguments)
            said = following.removeprefix("# ") + "\n" if following.startswith("#") else ""
            assert (ended.code, ended.out, ended.err) == (0, said, ""), line
