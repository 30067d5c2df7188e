"""Both type checkers accept what users may write, and refuse what cannot work where it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

#: What a checker says, by line.
Complaints: TypeAlias = dict[int, str]


@pytest.fixture(scope="module", params=["mypy", "pyright"])
def complaints(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Complaints]:
    """Return what one checker says about copies of `good.py` and `bad.py`, in one run."""
    scratch = tmp_path_factory.mktemp("typing")
    (scratch / "good.py").write_text((HERE / "good.py").read_text())
    (scratch / "bad.py").write_text(_without_switches((HERE / "bad.py").read_text()))
    said = _mypy(scratch) if request.param == "mypy" else _pyright(scratch)
    found: dict[str, Complaints] = {"good.py": {}, "bad.py": {}}
    for name, line, text in said:
        found[name][line] = text
    return found


def test_what_users_may_write_has_the_types_it_should(complaints: dict[str, Complaints]) -> None:
    assert complaints["good.py"] == {}


def test_what_cannot_work_is_refused_where_it_stands_and_nowhere_else(
    complaints: dict[str, Complaints],
) -> None:
    lines = (HERE / "bad.py").read_text().splitlines()
    expected = {number for number, line in enumerate(lines, 1) if line.endswith("# E")}
    found = complaints["bad.py"]
    assert {number: found.get(number, "accepted") for number in found.keys() ^ expected} == {}
    assert len(expected) > 20


def _without_switches(text: str) -> str:
    # They keep the check of the whole project quiet about what is wrong on purpose.
    switches, start, rest = text.partition('"""')
    assert switches.count("\n") == 2
    return f"\n\n{start}{rest}"


def _mypy(scratch: Path) -> Iterator[tuple[str, int, str]]:
    flags = ["--strict", "--explicit-package-bases", "--config-file=", f"--cache-dir={scratch / 'cache'}"]
    # What is wrong elsewhere is for the check of the whole project to say.
    flags += ["--follow-imports=silent", "--no-error-summary", "--no-color-output", "--output=json"]
    output = _run("mypy", *flags, str(scratch / "good.py"), str(scratch / "bad.py"))
    for one in map(json.loads, output.splitlines()):
        if one["severity"] == "error":
            yield Path(one["file"]).name, one["line"], one["message"]


def _pyright(scratch: Path) -> Iterator[tuple[str, int, str]]:
    settings = scratch / "pyrightconfig.json"
    # What the refused lines leave unknown or unused follows from their own errors.
    quiet = dict.fromkeys(("reportUnknownMemberType", "reportUnknownVariableType"), False)
    settings.write_text(json.dumps({"typeCheckingMode": "strict", "extraPaths": [str(ROOT)], **quiet}))
    output = _run("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(settings))
    report = json.loads(output)
    assert report["summary"]["filesAnalyzed"] == 2, output
    for one in report["generalDiagnostics"]:
        yield Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"]


def _run(tool: str, *arguments: str) -> str:
    run = subprocess.run(  # noqa: S603 - our own interpreter and tools
        [sys.executable, "-m", tool, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode in {0, 1}, run.stdout + run.stderr
    return run.stdout
