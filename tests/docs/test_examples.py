"""Every example on a page runs, and prints what the page says.

The files of a page lie in the folder of its name in docs/examples. A block with a title
shows the file of that name, or some of its lines; one without must run by itself.
"""

from __future__ import annotations

import asyncio
import re
import runpy
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final, cast

import pytest

from tests.docs.conftest import GoTo
from tests.docs.pages import (
    EXAMPLES,
    PAGES,
    README,
    Block,
    Command,
    blocks,
    commands,
    examples_of,
    name_of,
)

pytest_plugins = ["pytester"]

_CODE: Final = [block for page in PAGES for block in blocks(page) if block.language == "python"]
_SHOWN: Final = [block for block in _CODE if block.title]
_ALONE: Final = [block for block in _CODE if not block.title and not block.is_include]
_COMMANDS: Final = [command for page in PAGES for command in commands(page)]
_FOLDERS: Final = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
_PROGRAMS: Final = [
    command for command in _COMMANDS if command.line.startswith("python ") and not command.on_servers
]
_SUITES: Final = [command for command in _COMMANDS if command.line.startswith("pytest")]
_INI: Final = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


@pytest.mark.parametrize("block", _SHOWN, ids=str)
def test_code_on_a_page_is_a_part_of_its_file(block: Block) -> None:
    assert block.file.is_file(), f"there is no {name_of(block.file)}"
    assert f"\n{block.text}" in f"\n{block.file.read_text()}", f"not what {name_of(block.file)} says"


@pytest.mark.parametrize("block", _ALONE, ids=str)
def test_code_that_belongs_to_no_file_runs_as_it_is(block: Block) -> None:
    _run(block)


@pytest.mark.parametrize("folder", _FOLDERS, ids=name_of)
def test_every_example_is_shown_and_every_program_is_run(folder: Path) -> None:
    (page,) = (page for page in PAGES if examples_of(page) == folder)
    files = {file.name for file in folder.glob("*.py")}
    shown = [block for block in blocks(page) if block.language == "python"]
    assert {block.title for block in shown if block.file.parent == folder} == files
    programs = {file for file in files if "__main__" in (folder / file).read_text()}
    run = {command.line.removeprefix("python ") for command in commands(page)}
    assert programs <= run, f"{name_of(page)} does not say what they print: {sorted(programs - run)}"


@pytest.mark.parametrize("command", _COMMANDS, ids=str)
def test_every_command_is_run_or_known_to_be_for_the_reader(command: Command) -> None:
    run = command.line.startswith(("python ", "pytest")) or command.on_servers
    assert run or command.line.startswith(("docker ", "pip ")), (
        "nothing checks it: say so with another language"
    )


@pytest.mark.parametrize("command", _PROGRAMS, ids=str)
def test_a_program_prints_what_its_page_says(
    command: Command, go_to: GoTo, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = examples_of(command.page)
    go_to(folder)
    runpy.run_path(str(folder / command.line.removeprefix("python ")), run_name="__main__")
    assert capsys.readouterr().out.rstrip("\n") == command.output


@pytest.mark.usefixtures("go_to")
@pytest.mark.parametrize("command", _SUITES, ids=str)
def test_the_tests_of_an_example_pass(command: Command, pytester: pytest.Pytester) -> None:
    for file in examples_of(command.page).glob("*.py"):
        shutil.copy(file, pytester.path)
    pytester.makeini(_INI)
    result = pytester.runpytest_inprocess(*command.line.split()[1:])
    (passed,) = re.findall(r"(\d+) passed", command.output)
    result.assert_outcomes(passed=int(passed))


@pytest.mark.usefixtures("go_to")
def test_the_first_code_in_the_readme_runs() -> None:
    main = _run(next(block for block in _ALONE if block.page == README))["main"]
    asyncio.run(cast("Callable[[], Coroutine[None, None, None]]", main)())


def _run(block: Block) -> dict[str, object]:
    """Return the names that *block* has defined."""
    namespace: dict[str, object] = {"__name__": "example"}
    exec(compile(block.text, str(block), "exec"), namespace)  # noqa: S102 - it is ours
    return namespace
