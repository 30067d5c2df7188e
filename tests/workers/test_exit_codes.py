"""Every exit code on docs/reference/command-line.md, brought about."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Iterator
from typing import ClassVar, Final

import pytest

from broker_actors import ActorSystem, BusinessError, Worker, actor, method
from tests.workers.shell import HANG_SECONDS, ROOT, shell

PAGE: Final = ROOT / "docs" / "reference" / "command-line.md"
ASK: Final = ("ask", "Dozer", "d1")
#: What is said when, by exit code: stdout and the beginning of stderr.
SAID: Final = {
    0: (("answer",), "here\n", ""),
    1: (("refuse",), "", "error: no: not today\n"),
    2: (("answer", "n=1", "2"), "", "error: argument '2' stands after a named one"),
}


@actor(partitions=1)
class Dozer:
    """Answers, refuses, or takes for ever."""

    dozes: ClassVar[asyncio.Event]
    woken: ClassVar[asyncio.Event]

    @method.options(interleave=True)
    async def doze(self) -> None:
        Dozer.dozes.set()
        try:
            await asyncio.Event().wait()
        finally:
            Dozer.woken.set()

    @method
    def answer(self) -> str:
        return "here"

    @method
    def refuse(self) -> None:
        raise BusinessError("no", "not today")


@pytest.fixture
async def servers(amqp_url: str, redis_url: str) -> AsyncIterator[tuple[str, ...]]:
    """The options that name the servers on which a Dozer runs."""
    Dozer.dozes, Dozer.woken = asyncio.Event(), asyncio.Event()
    async with ActorSystem.connect(amqp_url, redis_url) as system, Worker(system, Dozer):
        yield ("--amqp", amqp_url, "--redis", redis_url)


def test_the_page_has_every_code_that_is_brought_about_here() -> None:
    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)]
    assert listed == [*SAID, 128 + signal.SIGINT, 128 + signal.SIGPIPE]


@pytest.mark.parametrize("code", SAID)
async def test_an_answer_a_refusal_and_a_mistake_differ(code: int, servers: tuple[str, ...]) -> None:
    words, out, err = SAID[code]
    ended, printed, said = await shell(*ASK, *words, *servers)
    assert (ended, printed, len(said.splitlines())) == (code, out, 1 if err else 0)
    assert said.startswith(err)


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let what is started from here be interrupted, also where a shell runs the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
async def test_ctrl_c_ends_the_call_without_a_word(servers: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker_actors.cli", *ASK, "doze", *servers),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=PIPE,
        stderr=PIPE,
    )
    async with asyncio.timeout(HANG_SECONDS):
        await Dozer.dozes.wait()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        await Dozer.woken.wait()
    assert (process.returncode, out, err) == (128 + signal.SIGINT, b"", b"")


@pytest.mark.parametrize("words", [(*ASK, "answer"), ("mailboxes",), ("mailboxes", "--json")])
async def test_a_reader_that_goes_away_ends_a_command_without_a_word(
    words: tuple[str, ...], servers: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker_actors.cli", *words, *servers),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=DEVNULL,
        stdout=writing,
        stderr=PIPE,
    )
    os.close(writing)
    async with asyncio.timeout(HANG_SECONDS):
        _out, err = await process.communicate()
    assert (process.returncode, err) == (128 + signal.SIGPIPE, b"")
