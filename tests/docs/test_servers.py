"""The parts of pages that need real servers, typed in as a reader would."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from broker_actors.cli.app import app
from tests.docs.conftest import GoTo
from tests.docs.pages import PAGES, ROOT, Command, commands, examples_of, name_of

_ON_SERVERS: Final = {
    page: found
    for page in PAGES
    if (found := [c for c in commands(page) if c.on_servers and not c.line.startswith("export ")])
}
#: The workers besides the first have tests of their own, so that their pages can wait for `make verify`.
_LATER: Final = {page for page in _ON_SERVERS if page.parent.name == "workers" and page.stem != "counter"}
#: What differs from run to run: ids and ages of dead letters, times; at the end of a line, host and process.
_CHANGING: Final = re.compile(
    r"\b[0-9a-f]{24}\b|\b\d+s\b|\b\d{4}-\d\d-\d\dT[\d:+]+|\b[\w.-]+:\d{2,}$| +", re.MULTILINE
)


class Terminal:
    """Where one reader types; a worker goes on until `^C`, and a web server until the end of the page."""

    def __init__(self, folder: Path, examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._examples = examples
        self._capsys = capsys
        self._worker: subprocess.Popen[str] | None = None
        self._site: subprocess.Popen[str] | None = None
        self._ports: list[tuple[str, str]] = []

    def type(self, command: Command) -> str:
        """Return what *command* prints; of a worker, as much as the page shows."""
        line = command.line
        for on_page, in_use in self._ports:
            line = line.replace(on_page, in_use)
        printed = self._run(shlex.split(line))
        for on_page, in_use in self._ports:
            printed = printed.replace(in_use, on_page)
        return printed

    def _run(self, words: list[str]) -> str:
        match words:
            case ["^C"]:
                return self._stop()
            case ["broker-actors", "worker", *words]:
                return self._start(words)
            case ["broker-actors", *words]:
                return CliRunner().invoke(app, words).output
            case ["python", "-m", "http.server", port, *words]:
                return self._serve(port, words)
            case ["python", program]:
                runpy.run_path(str(self._examples / program), run_name="__main__")
                return self._capsys.readouterr().out
            case ["echo", *words, ">", file]:
                (self._folder / file).write_text(f"{' '.join(words)}\n")
                return ""
            case ["cat", file]:
                return (self._folder / file).read_text()
            case _:
                pytest.fail(f"what is this? {words}")

    def close(self) -> None:
        """End the worker and the web server, if they run."""
        for process in (self._worker, self._site):
            if process is not None:
                process.kill()
                process.communicate()

    def _start(self, words: list[str]) -> str:
        assert self._worker is None, "press ^C first"
        program = [sys.executable, "-m", "broker_actors.cli", "worker", *words]
        self._worker = subprocess.Popen(program, cwd=self._folder, stderr=subprocess.PIPE, text=True)  # noqa: S603
        assert self._worker.stderr is not None
        for line in self._worker.stderr:
            if line.startswith("ready"):
                return line
        pytest.fail("the worker ended")

    def _serve(self, port: str, words: list[str]) -> str:
        """Start a web server on a port that is free, which stands for the one on the page."""
        assert self._site is None, "one web server a page"
        program = [sys.executable, "-m", "http.server", "0", *words]
        self._site = subprocess.Popen(  # noqa: S603 - from our own pages
            program,
            cwd=self._folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._site.stdout is not None
        line = self._site.stdout.readline()
        found = re.search(r"port (\d+)", line)
        assert found, f"the web server said {line!r}"
        self._ports.append((port, found[1]))
        return line

    def _stop(self) -> str:
        assert self._worker is not None, "nothing runs"
        worker, self._worker = self._worker, None
        worker.send_signal(signal.SIGINT)
        _out, err = worker.communicate()
        return "".join(f"{line}\n" for line in err.splitlines() if line.startswith("stop"))


@pytest.fixture
def _servers(amqp_url: str, redis_url: str, go_to: GoTo, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - empties the environment first
    monkeypatch.setenv("BROKER_ACTORS_URL", amqp_url)
    monkeypatch.setenv("BROKER_ACTORS_REDIS_URL", redis_url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.usefixtures("_servers")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.verify if page in _LATER else ()) for page in _ON_SERVERS],
    ids=name_of,
)
def test_what_is_typed_prints_what_the_page_says(
    page: Path, go_to: GoTo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A page about a worker is followed in the checkout; what it writes must not stay there.
    folder = tmp_path if page.parent.name == "workers" else examples_of(page)
    terminal = Terminal(folder, examples_of(page), capsys)
    go_to(examples_of(page))
    try:
        for command in _ON_SERVERS[page]:
            printed = _steady(terminal.type(command))
            assert printed == _steady(command.output), command.line
    finally:
        terminal.close()


def _steady(text: str) -> str:
    return _CHANGING.sub(" ", text).rstrip()
