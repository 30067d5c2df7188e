"""Processes whose event loop is held up: those that hang end, whatever holds them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: A guard against hanging, not a measurement.
HANG_SECONDS = 30

PROGRAM = """
import asyncio, re, sys, threading
from broker_actors.worker.hang import LOOK_SECONDS, HangGuard
from broker_actors.worker.pulse import Pulse

def report(held_seconds):
    print(f"held up: {{held_seconds > 0.2}}", flush=True)
    {report}

async def main():
    pulse = Pulse(0.1)
    pulse.start()
    with HangGuard(pulse, report):
        {inside}
    {outside}

asyncio.run(main())
"""
#: Waits without a bound, and lets other threads go on.
WAITS = "threading.Event().wait(1000)"
SPINS = "\n        while True: pass"
#: Goes through 2^60 ways to match, and lets no other thread go on meanwhile.
KEEPS_THE_LOCK = "re.match('(a+)+$', 'a' * 60 + 'b')"


async def ended(*, inside: str, outside: str = "pass", report: str = "pass") -> tuple[int, str, str]:
    """Run the program; return how it ended, and its stdout and stderr."""
    code = PROGRAM.format(inside=inside, outside=outside, report=report)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), env=environment, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(HANG_SECONDS):
        out, err = await process.communicate()
        return await process.wait(), out.decode(), err.decode()


@pytest.mark.parametrize("inside", [WAITS, SPINS], ids=["waits", "spins"])
async def test_a_loop_that_hangs_is_reported_and_its_process_ends_by_a_signal(inside: str) -> None:
    code, out, _err = await ended(inside=inside)
    assert (code, out) == (-signal.SIGABRT, "held up: True\n")


async def test_code_that_lets_no_thread_go_on_is_ended_too_and_shown() -> None:
    code, out, err = await ended(inside=KEEPS_THE_LOCK)
    assert (code, out) == (1, "")
    assert "in main" in err


@pytest.mark.parametrize(
    ("report", "code"),
    [("raise OSError('nobody reads this')", -signal.SIGABRT), (WAITS, 1)],
    ids=["fails", "hangs"],
)
async def test_a_process_ends_whatever_becomes_of_its_last_words(report: str, code: int) -> None:
    assert (await ended(inside=WAITS, report=report))[:2] == (code, "held up: True\n")


async def test_a_loop_that_nobody_looks_at_any_more_may_take_its_time() -> None:
    assert await ended(inside="pass", outside="threading.Event().wait(3 * LOOK_SECONDS)") == (0, "", "")
