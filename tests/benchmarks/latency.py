"""How long a call and its reply take, and how many a caller gets through at once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Measured, Signals, pump

#: Asks under way in the second part.
TOGETHER: Final = 100
#: How many more there are of them than in the first part.
TIMES: Final = 4

Ask: TypeAlias = Callable[[int], Awaitable[object]]


async def measure_asks(job: Job, signals: Signals, one: Ask, many: Ask) -> dict[str, float]:
    """Return percentiles of asks made one at a time with *one*, and the rate of 100 at a time with *many*."""
    for n in range(job.warm_up):
        await one(n)
    await pump(job.warm_up, TOGETHER, many)
    signals.ready()
    await signals.go()
    with Measured(job.profile) as alone:
        latencies_seconds = [await _timed(one, n) for n in range(job.messages)]
    with Measured("") as together:
        await pump(job.messages * TIMES, TOGETHER, many)
    return found(job, latencies_seconds, alone, together)


def found(
    job: Job, latencies_seconds: Sequence[float], alone: Measured, together: Measured
) -> dict[str, float]:
    """Return the facts about asks of *job* made one at a time, and then together."""
    return {
        **percentiles(latencies_seconds),
        "cpu_us": alone.facts(job.messages)["cpu_us"],
        "together": together.facts(job.messages * TIMES)["rate"],
    }


def percentiles(latencies_seconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the 99th percentile."""
    cuts = statistics.quantiles(latencies_seconds, n=100, method="inclusive")
    return {"p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}


def check(n: int, answer: object) -> None:
    """Raise if *answer* is not that of message *n*."""
    if answer != n:
        text = f"message {n} was answered {answer!r}"
        raise RuntimeError(text)


async def _timed(ask: Ask, n: int) -> float:
    started_seconds = time.perf_counter()
    await ask(n)
    return time.perf_counter() - started_seconds
