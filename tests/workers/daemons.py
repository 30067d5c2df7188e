"""Daemons under test: their stderr is read as it comes, and nothing of theirs outlives the test."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from broker_actors.worker.listening import Place, ask
from tests.workers.shell import HANG_SECONDS, ROOT


class Daemon:
    """A `broker-actors` program that runs."""

    def __init__(self, process: Process, environment: Mapping[str, str]) -> None:
        self.process = process
        self.pid = process.pid
        self.environment = environment
        self.lines: list[str] = []
        self._news = asyncio.Event()
        assert process.stdout is not None
        self._printing = asyncio.create_task(process.stdout.read())
        self._reading = asyncio.create_task(self._read())

    async def line(self, *texts: str, after: int = 0) -> str:
        """Return the first line on stderr, not among the first *after*, that has all *texts*."""
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                for line in self.lines[after:]:
                    if all(text in line for text in texts):
                        return line
                assert not self._reading.done(), f"it ended without {texts}: {self.lines}"
                self._news.clear()
                await self._news.wait()

    async def ended(self) -> int:
        """Return its exit code once it has ended and said all it had to say."""
        async with asyncio.timeout(HANG_SECONDS):
            await asyncio.wait((self._reading, self._printing))
            return await self.process.wait()

    async def printed(self) -> str:
        """Return what it has printed once it has ended."""
        await self.ended()
        return self._printing.result().decode()

    async def type(self, text: str) -> str:
        """Type *text* and end stdin; return what it has printed once it has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.close()
        return await self.printed()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.lines.append(line.decode().rstrip("\n"))
            self._news.set()
        self._news.set()


@asynccontextmanager
async def daemon(
    *words: str, cwd: Path, runtime: Path, settings: Mapping[str, str] | None = None
) -> AsyncGenerator[Daemon]:
    """Run `broker-actors` with *words*; killed at the end, with its processes, if it still runs.

    Args:
        words: the command line.
        cwd: where it runs.
        runtime: its runtime directory.
        settings: more environment variables.

    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_ACTORS_")}
    environment |= {"PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(runtime), **(settings or {})}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker_actors.cli", *words),
        cwd=cwd,
        env=environment,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    running = Daemon(process, environment)
    try:
        yield running
    finally:
        # The children of one that is killed stop by themselves: its stderr ends with the last of them.
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await running.ended()


async def http(place: Place, path: str) -> tuple[int, str]:
    """Return what the endpoint at *place* answers."""
    return await asyncio.to_thread(ask, place, path, HANG_SECONDS)


def pids_of(lines: Sequence[str]) -> list[int]:
    """Return the pids of the processes that *lines* report as ready."""
    ready = [line for line in lines if line.endswith(") is ready")]
    return [int(line.partition("(pid ")[2].partition(")")[0]) for line in ready]
