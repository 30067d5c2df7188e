"""The command line as a program of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: A guard against hanging, not a measurement.
HANG_SECONDS = 50


async def _start(*words: str, cwd: Path) -> Process:
    """Start `broker-actors` with *words*, without the settings of this process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_ACTORS_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker_actors.cli", *words),
        cwd=cwd,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=PIPE,
        stderr=PIPE,
    )


async def shell(*words: str, cwd: Path = ROOT) -> tuple[int, str, str]:
    """Run `broker-actors` with *words*; return its exit code, stdout and stderr."""
    process = await _start(*words, cwd=cwd)
    async with asyncio.timeout(HANG_SECONDS):
        out, err = await process.communicate()
        return await process.wait(), out.decode(), err.decode()


@asynccontextmanager
async def worker(*words: str, cwd: Path = ROOT) -> AsyncGenerator[Process]:
    """Run `broker-actors worker`, ready when entered; killed at the end if it still runs."""
    process = await _start("worker", *words, cwd=cwd)
    try:
        await line_of(process, "ready")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_of(process: Process, text: str) -> str:
    """Wait for the line with *text* on stderr and return it."""
    assert process.stderr is not None
    seen: list[str] = []
    async with asyncio.timeout(HANG_SECONDS):
        while line := (await process.stderr.readline()).decode():
            if text in line:
                return line
            seen.append(line)
    raise AssertionError(f"it ended without {text!r}, saying: {''.join(seen)}")
