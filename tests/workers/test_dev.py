"""`broker-actors dev`: no server, a prompt; here at the end of a pipe."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.workers.daemons import daemon
from tests.workers.shell import ROOT

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
