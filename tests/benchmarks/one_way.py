"""Benchmarks of messages that nobody waits for: published, drained, and both at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tests.benchmarks.benchmark import FEWER_ROUNDS, Benchmark, Place, Sampling, Size
from tests.benchmarks.broker import Broker
from tests.benchmarks.figures import Target
from tests.benchmarks.job import Job
from tests.benchmarks.process import child, run
from tests.benchmarks.variants import (
    AIO_PIKA,
    AIORMQ,
    AT_LEAST_ONCE,
    BOTH,
    EFFECTIVELY_ONCE,
    LIMITS,
    OURS,
    PEERS,
    side,
)

#: Few, for what is still under way of them is drained on the clock.
_BOTH_WARM_UP: Final = 100
#: What some peers declare beside their queue.
_BESIDE: Final = ("", ".DQ", ".XQ")


class Publish(Benchmark):
    """Tells, pipelined and confirmed."""

    key = "publish"
    name = "Publish"
    variants: Sequence[str] = (OURS, AIO_PIKA, AIORMQ, *PEERS)
    targets: Sequence[Target] = (Target("rate", OURS, (AIORMQ,), 1.8), Target("rate", OURS, PEERS, 3.0))

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Publish to empty queues."""
        job = self.job(variant, sampling.of(self._size.messages))
        await self._broker.empty(job)
        try:
            return await run(side(variant), "publish", sampling.profiled(job, "publish"))
        finally:
            await clear(self._broker, variant, job)


class Drain(Benchmark):
    """Messages that wait, worked off by one process."""

    key = "drain"
    rounds_max = FEWER_ROUNDS
    variants: Sequence[str] = (AT_LEAST_ONCE, EFFECTIVELY_ONCE, AIO_PIKA, AIORMQ, *PEERS)
    targets: Sequence[Target] = (
        Target("rate", AT_LEAST_ONCE, (AIO_PIKA,), 1.5),
        Target("rate", AT_LEAST_ONCE, PEERS, 2.0),
        Target("rate", EFFECTIVELY_ONCE, PEERS, 1.2),
    )

    def __init__(self, size: Size, place: Place, partitions: int = 8) -> None:
        super().__init__(size, place)
        self.partitions = partitions
        self.key = "drain" if partitions > 1 else "drain-one"
        self.name = "Drain" if partitions > 1 else "Drain, all from one queue"

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Drain a full queue."""
        job = self.job(variant, sampling.of(self._size.messages))
        if variant not in PEERS:
            return await drained(self._broker, variant, job, sampling)
        try:
            # What is to be drained is published without a warm-up: every message counts.
            await run(variant, "publish", replace(job, warm_up=0))
            return await run(variant, "drain", job)
        finally:
            await clear(self._broker, variant, job)


class Limits(Drain):
    """What draining costs at least: without turns, and with them."""

    key = "limits"
    variants: Sequence[str] = (*LIMITS, *BOTH)
    targets: Sequence[Target] = ()

    def __init__(self, size: Size, place: Place) -> None:
        super().__init__(size, place)
        self.key, self.name = "limits", "Drain, beside the least it can cost"


class Both(Benchmark):
    """One process publishes and another drains, at the same time."""

    key = "both"
    rounds_max = FEWER_ROUNDS
    name = "Publish and drain together"
    variants: Sequence[str] = (*BOTH, AIO_PIKA, AIORMQ, *PEERS)
    targets: Sequence[Target] = ()

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Count from the first call of the publisher to the last effect."""
        job = replace(self.job(variant, sampling.of(self._size.messages)), warm_up=_BOTH_WARM_UP)
        await self._broker.empty(job)
        try:
            async with child(side(variant), "drain", replace(job, beforehand=_BOTH_WARM_UP)) as consumer:
                await consumer.go()
                published = await run(side(variant), "publish", job)
                drained_ = await consumer.result()
        finally:
            await clear(self._broker, variant, job)
        return {
            "rate": job.messages / (drained_["ended"] - published["began"]),
            "cpu_us": drained_["cpu_us"] + published["cpu_us"],
        }


async def drained(broker: Broker, variant: str, job: Job, sampling: Sampling) -> dict[str, float]:
    """Return what draining the mailboxes of *job* measures, filled by hand with its messages.

    Raises:
        RuntimeError: acknowledgements are missing.

    """
    await broker.fill(job)
    facts = await run(side(variant), "drain", sampling.profiled(job, f"drain-{job.actor_type}"))
    # A quorum queue forgets acknowledgements that were on their way to it when the channel closed.
    if (left := await broker.waiting(job)) > job.prefetch:
        raise RuntimeError(f"drain, {variant}: {left} messages were not acknowledged")
    return facts


async def clear(broker: Broker, variant: str, job: Job) -> None:
    """Leave nothing of *job* in the broker."""
    if variant in PEERS:
        await broker.delete(*(job.peer_queue + beside for beside in _BESIDE), "taskiq.dead_letter")
    else:
        await broker.empty(job)
