"""Benchmarks of what somebody waits for: asks and streams, beside the bare round trip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tests.benchmarks.benchmark import Benchmark, Sampling
from tests.benchmarks.figures import Target
from tests.benchmarks.job import Job
from tests.benchmarks.one_way import clear
from tests.benchmarks.process import child, run
from tests.benchmarks.variants import BARE, BOTH, OURS, PEERS, side

_WARM_UP: Final = 50
_ASKS_MIN: Final = 10


class Ask(Benchmark):
    """Calls that wait for their reply."""

    key = "ask"
    name = "Ask"
    variants: Sequence[str] = (*BOTH, BARE, *PEERS)
    targets: Sequence[Target] = (
        *(Target("p50_ms", ours, (BARE,), 1.3, at_most=True) for ours in BOTH),
        *(Target("p99_ms", ours, (BARE,), 3.0, at_most=True) for ours in BOTH),
        *(Target("together", ours, PEERS, 2.0) for ours in BOTH),
    )

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Ask a worker in another process."""
        job = self.job(variant, max(_ASKS_MIN, sampling.of(self._size.asks)))
        await self._broker.empty(job)
        try:
            return await asked(side(variant), replace(job, warm_up=_WARM_UP), sampling)
        finally:
            await clear(self._broker, variant, job)


class Streams(Benchmark):
    """Methods that yield, read in another process."""

    key = "streams"
    name = "Streams"
    variants: Sequence[str] = (OURS, BARE)
    targets: Sequence[Target] = (Target("p50_ms", OURS, (BARE,), 3.0, at_most=True),)

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Read streams; the bare round trip has no chunks, and is what the first one is held against."""
        job = self.job(variant, max(_ASKS_MIN, sampling.of(self._size.asks)))
        job = replace(job, warm_up=_WARM_UP, chunks=sampling.of(self._size.chunks))
        await self._broker.empty(job)
        if variant == OURS:
            return await asked("streams", job, sampling)
        facts = await asked("bare", job, sampling)
        return {name: facts[name] for name in ("p50_ms", "p99_ms")}


async def asked(whose: str, job: Job, sampling: Sampling) -> dict[str, float]:
    """Return what a caller measures of a worker, each of them a process."""
    async with child(whose, "serve", sampling.profiled(job, f"serve-{whose}-{job.actor_type}")) as worker:
        facts = await run(whose, "ask", sampling.profiled(job, f"ask-{whose}-{job.actor_type}"))
        await worker.go()
        await worker.result()
    return facts
