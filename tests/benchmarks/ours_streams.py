"""The platform's streams: one actor type that yields, and a caller that reads."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Final

from broker_actors import ActorSystem, Ref, Worker, actor, method
from tests.benchmarks.job import Job
from tests.benchmarks.latency import percentiles
from tests.benchmarks.measuring import Measured, Signals, pump
from tests.benchmarks.ours import Quiet

#: Streams read at a time in the last part.
TOGETHER: Final = 20


@actor(partitions=8)
class Source:
    """Yields numbers as fast as it may."""

    @method
    async def numbers(self, count: int) -> AsyncIterator[int]:
        """Yield 0 to *count* - 1."""
        for n in range(count):
            yield n


class SourceRef(Source, Ref):
    """Handle on `Source`."""


async def serve(job: Job, signals: Signals) -> None:
    """Run a worker until told to stop."""
    async with (
        ActorSystem.connect(job.amqp_url, job.redis_url, observer=Quiet()) as system,
        Worker(system, Source),
    ):
        signals.ready()
        with Measured(job.profile):
            await signals.go()
    signals.result({})


async def ask(job: Job, signals: Signals) -> None:
    """Read streams of one number for the first chunk, then a long one, then twenty at a time."""
    async with ActorSystem.connect(job.amqp_url, job.redis_url, observer=Quiet()) as system:
        sources = [system.ref(SourceRef, actor_id) for actor_id in job.actor_ids]
        for n in range(job.warm_up):
            await _first(sources[n % len(sources)])
        signals.ready()
        await signals.go()
        with Measured(job.profile) as first:
            latencies_seconds = [await _first(sources[n % len(sources)]) for n in range(job.messages)]
        with Measured("") as one:
            await _read(sources[0], job.chunks)
        share = max(1, job.chunks // TOGETHER)
        with Measured("") as together:
            await pump(TOGETHER, TOGETHER, lambda n: _read(sources[n % len(sources)], share))
    signals.result(
        {
            **percentiles(latencies_seconds),
            "cpu_us": first.facts(job.messages)["cpu_us"],
            "chunks": one.facts(job.chunks)["rate"],
            "chunks_together": together.facts(share * TOGETHER)["rate"],
        }
    )


async def _first(source: SourceRef) -> float:
    """Return how long the first chunk of a stream takes, having read it to its end."""
    began_seconds = time.perf_counter()
    taken_seconds = 0.0
    async for _ in source.numbers(1):
        taken_seconds = time.perf_counter() - began_seconds
    return taken_seconds


async def _read(source: SourceRef, count: int) -> None:
    expected = 0
    async for n in source.numbers(count):
        if n != expected:
            raise RuntimeError(f"chunk {expected} was {n}")
        expected += 1
    if expected != count:
        raise RuntimeError(f"{expected} of {count} chunks came")
