"""Measuring processes, seen from the one that starts them."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Final

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import END, GO

#: A guard against hangs, far above what any step needs.
STEP_SECONDS: Final = 300.0


class Child:
    """One measuring process."""

    def __init__(self, name: str, process: Process) -> None:
        self._name = name
        self._process = process

    async def ready(self) -> None:
        """Return when it is warm; raises what `result` raises."""
        await self._event("ready")

    async def go(self) -> None:
        """Tell it to go on."""
        await self._tell(GO)

    async def end(self) -> None:
        """Tell it to go on to its end."""
        await self._tell(END)

    async def report(self) -> dict[str, float]:
        """Return what it says in between; raises what `result` raises."""
        return await self._event("report")

    async def result(self) -> dict[str, float]:
        """Return what it measured, once it has ended.

        Raises:
            RuntimeError: it failed; why stands in its error output.

        """
        facts = await self._event("result")
        if await self._process.wait() != 0:
            raise RuntimeError(f"{self._name} failed after its result")
        return facts

    async def _tell(self, word: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(f"{word}\n".encode())
        await stdin.drain()

    async def _event(self, expected: str) -> dict[str, float]:
        stdout = self._process.stdout
        assert stdout is not None
        async with asyncio.timeout(STEP_SECONDS):
            line = await stdout.readline()
        event = json.loads(line or "{}")
        if event.get("event") != expected:
            raise RuntimeError(f"{self._name}: {line.decode() or 'ended'} where {expected} was expected")
        facts: dict[str, float] = event.get("facts", {})
        return facts


@asynccontextmanager
async def child(side: str, work: str, job: Job) -> AsyncIterator[Child]:
    """Start *work* of *side* in a process of its own, warm when the block begins; it ends with the block."""
    command = [sys.executable, "-m", "tests.benchmarks.child", side, work]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
        one = Child(f"{work} of {side}", process)
        await one.ready()
        yield one
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run(side: str, work: str, job: Job) -> dict[str, float]:
    """Run *work* of *side* and return what it measured."""
    async with child(side, work, job) as one:
        await one.go()
        return await one.result()
