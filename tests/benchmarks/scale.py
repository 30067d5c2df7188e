"""Benchmarks of many and of more: actors, processes, and the mode without servers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from tests.benchmarks.benchmark import FEW_ROUNDS, Benchmark, Sampling
from tests.benchmarks.figures import Target
from tests.benchmarks.job import Job
from tests.benchmarks.one_way import drained
from tests.benchmarks.ours_heavy import CPU_SECONDS, PARTITIONS
from tests.benchmarks.process import Child, child, run
from tests.benchmarks.variants import AIO_PIKA, AT_LEAST_ONCE, BOTH, EFFECTIVELY_ONCE

#: Actors of the one benchmark with a hot actor.
_MANY: Final = 1_000
#: Of an actor that is live and idle: what the project promises.
_BYTES_MAX: Final = 3 * 1024
#: How long one process is to take for its part.
_HEAVY_SECONDS: Final = 2.5
#: Messages after which two processes are looked at: whether both have their share of the mailboxes.
_BATCH: Final = 128
_BATCHES_MAX: Final = 40
#: The part of it, in percent, that one process may have by the luck of hashing.
_SHARE_MAX: Final = 70


class Hot(Benchmark):
    """The same messages for many actors, and for one that must take them one after the other."""

    key = "hot"
    name = f"{_MANY:,} actors and one hot actor"
    variants: Sequence[str] = tuple(
        f"{ours}, {crowd}" for ours in BOTH for crowd in (f"{_MANY:,} actors", "one actor")
    )
    targets: Sequence[Target] = ()
    rounds_max = FEW_ROUNDS

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Drain what waits for them."""
        job = self.job(variant, sampling.of(self._size.messages))
        actors = 1 if variant.endswith("one actor") else _MANY
        return await drained(self._broker, variant, replace(job, actors=actors, prefix="hot"), sampling)


class Crowd(Benchmark):
    """One message for each of many actors: new ones, ones that sleep in the store, and live ones."""

    key = "crowd"
    name = "Activation and wake"
    variants: Sequence[str] = (EFFECTIVELY_ONCE,)
    targets: Sequence[Target] = ()
    rounds_max = FEW_ROUNDS

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Drain twice, in two processes, and once more for few actors."""
        count = sampling.of(self._size.crowd)
        few = self.job(variant, count)
        new = replace(few, actors=count, prefix=few.sender)
        again = replace(new, sender=self.job(variant).sender)
        few = replace(few, sender=self.job(variant).sender)
        return {
            name: (await drained(self._broker, variant, job, sampling))["rate"]
            for name, job in (("activated", new), ("woken", again), ("rate", few))
        }


class Memory(Benchmark):
    """What a live actor with a state of one number takes of its worker's memory."""

    key = "memory"
    name = "Memory"
    variants: Sequence[str] = BOTH
    targets: Sequence[Target] = tuple(
        Target("bytes", ours, (), _BYTES_MAX, at_most=True) for ours in (EFFECTIVELY_ONCE, AT_LEAST_ONCE)
    )
    rounds_max = FEW_ROUNDS

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Compare a worker that has a tenth of them with one that has them all."""
        count = sampling.of(self._size.crowd)
        many = self.job(variant, count)
        many = replace(many, actors=count, prefix=many.sender, beforehand=max(1, count // 10))
        few = replace(many, actors=many.beforehand, messages=many.beforehand, prefix=f"{many.sender}-few-")
        await self._broker.empty(many)
        async with child("crowd", "memory", many) as worker:
            await self._broker.fill(few)
            await worker.report()
            # Its own sender: numbers of the few would be holes in those of the many.
            await self._broker.fill(replace(many, sender=self.job(variant).sender))
            return await worker.result()


class Processes(Benchmark):
    """A method that needs the processor, in one worker process and in two."""

    key = "processes"
    name = f"Two processes, a method of {CPU_SECONDS * 1000:.0f} ms"
    variants: Sequence[str] = tuple(
        f"{who}{processes}" for who in ("", f"{AIO_PIKA}, ") for processes in ("one process", "two processes")
    )
    targets: Sequence[Target] = (Target("rate", "two processes", ("one process",), 1.7),)
    partitions = PARTITIONS
    rounds_max = FEW_ROUNDS

    def job(self, variant: str, messages: int = 1) -> Job:
        """Return the job of a worker of the type that is heavy."""
        return replace(super().job(variant, messages), actor_type="Heavy", actors=_MANY)

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Count from the first message published to the last effect."""
        job = self.job(variant, sampling.of(round(_HEAVY_SECONDS / CPU_SECONDS)))
        await self._broker.empty(job)
        side = "raw heavy" if variant.startswith(AIO_PIKA) else "heavy"
        count = 2 if variant.endswith("two processes") else 1
        async with AsyncExitStack() as stack:
            workers = [
                await stack.enter_async_context(child(side, "serve", replace(job, part=(which, count))))
                for which in range(count)
            ]
            await self._shared(workers, replace(job, messages=_BATCH))
            facts = await self._through(workers, job)
            for worker in workers:
                await worker.end()
                await worker.result()
        return facts

    async def _shared(self, workers: Sequence[Child], batch: Job) -> None:
        """Return when each of *workers* does its part."""
        for _ in range(_BATCHES_MAX):
            facts = await self._through(workers, replace(batch, sender=self.job("").sender))
            if len(workers) == 1 or facts["share"] < _SHARE_MAX:
                return
        raise RuntimeError(f"after {_BATCHES_MAX} batches one of the processes still does most of the work")

    async def _through(self, workers: Sequence[Child], job: Job) -> dict[str, float]:
        """Return how fast *workers* did *job*."""
        began_seconds = time.monotonic()
        await self._broker.fill(job)
        for worker in workers:
            await worker.go()
        reports = [await worker.report() for worker in workers]
        counts = [report["count"] for report in reports]
        if sum(counts) != job.messages:
            raise RuntimeError(f"{job.messages} messages, and {counts} turns")
        ended_seconds = max(report["ended"] for report in reports)
        return {
            "rate": job.messages / (ended_seconds - began_seconds),
            "share": 100 * max(counts) / job.messages,
        }


class Embedded(Benchmark):
    """Without servers, in one process: tells until all have taken effect, and asks."""

    key = "embedded"
    name = "Embedded"
    variants: Sequence[str] = BOTH
    targets: Sequence[Target] = ()

    async def prepare(self) -> None:
        """Do nothing: there are no servers."""

    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Run everything in one child."""
        job = self.job(variant, sampling.of(self._size.messages))
        return await run("embedded", "everything", sampling.profiled(job, f"embedded-{job.actor_type}"))
