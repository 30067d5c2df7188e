"""The inside of a measuring process: the measured section, the effects, the signals."""

from __future__ import annotations

import asyncio
import cProfile
import io
import json
import pstats
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.benchmarks.job import Job

#: What a measuring process is told.
GO: Final = "go"
END: Final = "end"
#: Lines of each table of a profile.
PROFILE_LINES: Final = 60


class Signals:
    """How a measuring process talks to the one that started it: a line of JSON at a time."""

    def ready(self) -> None:
        """Say that everything is open and warm."""
        _say({"event": "ready"})

    async def go(self) -> bool:
        """Return when told to go on, and whether it is not in order to end."""
        word: str = await asyncio.to_thread(sys.stdin.readline)
        return word.strip() == GO

    def report(self, facts: Mapping[str, float]) -> None:
        """Say what was found so far."""
        _say({"event": "report", "facts": dict(facts)})

    def result(self, facts: Mapping[str, float]) -> None:
        """Say what was measured."""
        _say({"event": "result", "facts": dict(facts)})


class Measured:
    """The measured section of this process: wall time, its own CPU time, a profile if wanted."""

    def __init__(self, profile: str) -> None:
        self._profile = cProfile.Profile() if profile else None
        self._file = profile
        self._began_seconds = 0.0
        self._ended_seconds = 0.0
        self._cpu_seconds = 0.0

    def __enter__(self) -> Self:
        """Start the clocks."""
        if self._profile is not None:
            self._profile.enable()
        self._cpu_seconds = -time.process_time()
        self._began_seconds = time.monotonic()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the clocks and write the profile."""
        self._ended_seconds = time.monotonic()
        self._cpu_seconds += time.process_time()
        if self._profile is not None:
            self._profile.disable()
            Path(self._file).write_text(_tables(self._profile), encoding="utf-8")

    def facts(self, messages: int) -> dict[str, float]:
        """Return the rate, this process's CPU time per message, and when: one clock for all processes."""
        return {
            "rate": messages / (self._ended_seconds - self._began_seconds),
            "cpu_us": self._cpu_seconds / messages * 1e6,
            "began": self._began_seconds,
            "ended": self._ended_seconds,
        }


class Effects:
    """What consumers do: count, and add up what the messages carry."""

    def __init__(self, job: Job) -> None:
        #: How many messages there are.
        self.expected: Final = job.messages + job.beforehand
        self._expected_sum = sum(range(job.messages)) + sum(range(job.beforehand))
        self._count = 0
        self._sum = 0
        self._all: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, number: int) -> None:
        """Take effect: the work of one message."""
        self._sum += number

    def done(self) -> None:
        """Take note that a message has taken effect and is acknowledged."""
        self._count += 1
        if self._count == self.expected:
            self._all.set_result(None)

    def fail(self, text: str) -> None:
        """Make the measurement fail."""
        if not self._all.done():
            self._all.set_exception(RuntimeError(text))

    async def all(self) -> None:
        """Return when all are done.

        Raises:
            RuntimeError: one was lost, done twice, or failed.

        """
        await self._all
        if self._sum != self._expected_sum:
            text = f"{self.expected} messages add up to {self._sum}: one was lost, or done twice"
            raise RuntimeError(text)


async def pump(count: int, in_flight: int, send: Callable[[int], Awaitable[object]]) -> None:
    """Call *send* with 0 to *count* - 1, *in_flight* of them at a time."""
    numbers = iter(range(count))

    async def sender() -> None:
        for number in numbers:
            await send(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(min(in_flight, count)):
            tasks.create_task(sender())


def _say(words: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _tables(profile: cProfile.Profile) -> str:
    text = io.StringIO()
    stats = pstats.Stats(profile, stream=text)
    for order in ("tottime", "cumulative"):
        stats.sort_stats(order).print_stats(PROFILE_LINES)
    return text.getvalue()
