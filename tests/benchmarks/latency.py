"""How long a call and its reply take, and how many a caller gets through at once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Measured, Signals, pump

#: Asks under way in the second part.
TOGETHER: Final = 100

Ask: TypeAlias = Callable[[int], Awaitable[object]]


async def measure_asks(job: Job, signals: Signals, one: Ask, many: Ask) -> dict[str, float]:
    """Return percentiles of asks made one at a time with *one*, and the rate of 100 at a time with *many*."""
    for n in range(job.warm_up):
        await one(n)
    signals.ready()
    await signals.go()
    with Measured(job.profile) as alone:
        latencies = [await _timed(one, n) for n in range(job.messages)]
    with Measured("") as together:
        await pump(job.messages * 2, TOGETHER, many)
    percentiles = statistics.quantiles(latencies, n=100, method="inclusive")
    return {
        "p50_ms": percentiles[49] * 1e3,
        "p99_ms": percentiles[98] * 1e3,
        "cpu_us": alone.facts(job.messages)["cpu_us"],
        "together": together.facts(job.messages * 2)["rate"],
    }


async def _timed(ask: Ask, n: int) -> float:
    started_seconds = time.perf_counter()
    await ask(n)
    return time.perf_counter() - started_seconds
