"""`broker-actors dev`: no server, a prompt; at the end of a pipe, and on a terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.workers.daemons import Daemon, daemon
from tests.workers.shell import ROOT

MOODY = """
from collections.abc import Iterator
from broker_actors import BusinessError, Retry, actor, method

@actor(retry=Retry(attempts=1))
class Moody:
    @method
    def refuse(self) -> None:
        raise BusinessError("no", "not today")

    @method
    def fail(self) -> None:
        raise ZeroDivisionError("a bug")

    @method
    def tear(self) -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("a bug")
"""
CALLS = """\
ask Moody m1 refuse
ask Moody m1 fail
stream Moody m1 tear
ask Moody m1 tear
stream Moody m1 refuse
tell Moody m1 fail
ask Moody m1 refuse
"""

LINES = """\
ask Sleeper s1 nap 0
tell Sleeper s1 nap seconds=0

ask Sleeper s1 count  # after the tell
ask Sleeper s1 version
"""
WRONG = """\
ask Sleeper s1 nap
ask Sleeper s1 dance
ask Ghost g1 boo
ask Sleeper
sing
ask "Sleeper
ask Sleeper s1 count
quit
ask Sleeper s1 version
"""


async def test_piped_asks_are_answered(sleeper: Path, tmp_path: Path) -> None:
    # Servers of the environment are not for this.
    elsewhere = {"BROKER_ACTORS_URL": "amqp://127.0.0.1:1/"}
    async with daemon("dev", "sleeper", cwd=sleeper, runtime=tmp_path, settings=elsewhere) as dev:
        assert await dev.type(LINES) == "1\n2\nfirst\n"
        assert await dev.ended() == 0


async def test_what_a_generator_yields_is_a_line_each(tmp_path: Path) -> None:
    async with daemon("dev", "workers.assistant", cwd=ROOT, runtime=tmp_path) as dev:
        assert await dev.type("stream Assistant a1 tokens hi\n") == "1: \nyou \nsaid \nhi\n"


async def test_an_error_is_one_line_and_does_not_end_it(sleeper: Path, tmp_path: Path) -> None:
    async with daemon("dev", "sleeper", cwd=sleeper, runtime=tmp_path) as dev:
        assert await dev.type(WRONG) == "0\n"
        assert await dev.ended() == 0
        errors = [line for line in dev.lines if line.startswith("error: ")]
        assert len(errors) == 6
        for text, line in zip(
            (
                "seconds",
                "it has nap, block",
                "there is Sleeper",
                "takes TYPE ID METHOD",
                "none of ask",
                "quotation",
            ),
            errors,
            strict=True,
        ):
            assert text in line


async def test_help_shows_what_there_is_to_call(sleeper: Path, tmp_path: Path) -> None:
    async with daemon("dev", "sleeper", cwd=sleeper, runtime=tmp_path) as dev:
        text = await dev.type("help")
        assert "ask TYPE ID METHOD" in text
        assert "nap(seconds: float)" in text


async def test_it_stops_in_order_while_it_waits_for_a_line(sleeper: Path, tmp_path: Path) -> None:
    async with daemon("dev", "sleeper", cwd=sleeper, runtime=tmp_path) as dev:
        await dev.line("ready: Sleeper")
        dev.process.send_signal(signal.SIGINT)
        assert await dev.ended() == 0
        assert not any("Traceback" in line or "Fatal" in line for line in dev.lines)


async def test_what_an_actor_raises_is_one_line_and_does_not_end_it(tmp_path: Path) -> None:
    (tmp_path / "moody.py").write_text(MOODY)
    async with daemon("dev", "moody", cwd=tmp_path, runtime=tmp_path) as dev:
        assert await dev.type(CALLS) == "1\n", dev.lines
        assert await dev.ended() == 0
        assert [line for line in dev.lines if line.startswith("error: ")] == [
            "error: no: not today",
            "error: ZeroDivisionError: a bug",
            "error: ZeroDivisionError: a bug",
            "error: is_a_stream: Moody.tear yields: stream it instead of asking or telling it",
            "error: not_a_stream: Moody.refuse does not yield: ask it instead of streaming it",
            "error: no: not today",
        ]


async def test_lines_that_nobody_reads_any_more_are_no_trouble(sleeper: Path, tmp_path: Path) -> None:
    async with daemon("dev", "sleeper", cwd=sleeper, runtime=tmp_path) as dev:
        # More than is read ahead.
        assert await dev.type("quit\n" + "ask Sleeper s1 count\n" * 1_000) == ""
        assert await dev.ended() == 0
        assert [line for line in dev.lines if not line.startswith("ready")] == []


@asynccontextmanager
async def terminal(module: str, folder: Path) -> AsyncGenerator[tuple[Daemon, Callable[[str], int]]]:
    """Run `dev` as on a terminal; yield it, and what types a line."""
    keyboard, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker_actors.cli", "dev", module),
        cwd=folder,
        env=environment,
        stdin=theirs,
        stdout=PIPE,
        stderr=PIPE,
    )
    os.close(theirs)
    dev = Daemon(process, environment)
    try:
        yield dev, lambda line: os.write(keyboard, f"{line}\n".encode())
    finally:
        if process.returncode is None:
            process.kill()
        await dev.ended()
        os.close(keyboard)


async def test_ctrl_c_ends_the_call_that_runs_and_at_the_prompt_everything(sleeper: Path) -> None:
    async with terminal("sleeper", sleeper) as (dev, types):
        await dev.line("ready: Sleeper")
        for _ in range(2):
            seen = len(dev.lines)
            types("ask Sleeper s1 nap 1000")
            await dev.line("napping", after=seen)
            dev.process.send_signal(signal.SIGINT)
            await dev.line("interrupted", after=seen)
        seen = len(dev.lines)
        # The turn was cancelled, or this would wait behind it.
        types("ask Sleeper s1 nap 0")
        await dev.line("napping", after=seen)
        types("oops")
        await dev.line("'oops' is none of", after=seen)
        dev.process.send_signal(signal.SIGINT)
        assert await dev.ended() == 0
        assert await dev.printed() == "> > > 1\n> > "
        assert not any("Traceback" in line for line in dev.lines)


async def test_ctrl_d_ends_it(sleeper: Path) -> None:
    async with terminal("sleeper", sleeper) as (dev, types):
        await dev.line("ready: Sleeper")
        types("\x04")
        assert await dev.ended() == 0
