"""The benchmarks: what each measures, of which variants, held to which targets."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.broker import Broker
from tests.benchmarks.figures import Target
from tests.benchmarks.job import Job
from tests.benchmarks.process import child, run

OURS = "broker_actors"
AT_LEAST_ONCE = "broker_actors, at_least_once"
EFFECTIVELY_ONCE = "broker_actors, effectively_once"
AIO_PIKA = "aio-pika"
AIORMQ = "aiormq"
BARE = "bare round trip"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        messages: in one sample of publish and drain.
        asks: in one sample, one at a time; twice as many go 100 at a time.
        actors: how many the messages are spread over.
        in_flight: publishes under way at a time.
        prefetch: deliveries a consumer holds, per queue.
        rounds: how often the variants take turns.
        partitions: the queue counts that are drained.

    """

    messages: int = 20_000
    asks: int = 1_000
    actors: int = 100
    in_flight: int = 500
    prefetch: int = 1_000
    rounds: int = 5
    partitions: tuple[int, ...] = (1, 8)


class Benchmark(ABC):
    """One thing that is measured.

    Attributes:
        name: its title.
        variants: what takes turns.
        targets: what the variants are held to.
        partitions: how many queues each type has.

    """

    name: str
    variants: Sequence[str]
    targets: Sequence[Target]
    partitions: int

    def __init__(self, size: Size, broker: Broker, amqp_url: str, redis_url: str) -> None:
        self._size = size
        self._broker = broker
        self._urls = amqp_url, redis_url

    async def prepare(self) -> None:
        """Declare what the variants use."""
        for actor_type in sorted({self._job(variant).actor_type for variant in self.variants}):
            await self._broker.declare(replace(self._job(self.variants[0]), actor_type=actor_type).layout)

    @abstractmethod
    async def measure(
        self, variant: str, scale: float = 1.0, profile: Path | None = None
    ) -> dict[str, float]:
        """Return one sample.

        Args:
            variant: which.
            scale: the part of the size to measure, for a warm-up.
            profile: where to write profiles of the platform's side; None for none.

        """

    def _job(self, variant: str, scale: float = 1.0) -> Job:
        size, (amqp_url, redis_url) = self._size, self._urls
        kind = "Once" if variant == EFFECTIVELY_ONCE else "Plain"
        messages = max(size.actors, round(size.messages * scale))
        return Job(
            amqp_url=amqp_url,
            redis_url=redis_url,
            actor_type=f"{kind}{self.partitions}",
            partitions=self.partitions,
            actors=size.actors,
            messages=messages,
            warm_up=size.in_flight,
            in_flight=size.in_flight,
            prefetch=size.prefetch,
            sender=secrets.token_hex(16),
        )


class Publish(Benchmark):
    """Tells, pipelined and confirmed."""

    name = "publish"
    variants: Sequence[str] = (OURS, AIO_PIKA, AIORMQ)
    targets: Sequence[Target] = (Target("rate", OURS, AIO_PIKA, 1.0),)
    partitions = 8

    async def measure(
        self, variant: str, scale: float = 1.0, profile: Path | None = None
    ) -> dict[str, float]:
        """Publish to empty queues."""
        job = self._job(variant, scale)
        await self._broker.empty(job)
        try:
            return await run(_side(variant), "publish", _profiled(job, profile, "publish"))
        finally:
            await self._broker.empty(job)


class Drain(Benchmark):
    """Messages that wait, consumed by one process."""

    variants: Sequence[str] = (AT_LEAST_ONCE, AIO_PIKA, AIORMQ, EFFECTIVELY_ONCE)
    targets: Sequence[Target] = (Target("rate", AT_LEAST_ONCE, AIO_PIKA, 0.8),)

    def __init__(self, size: Size, broker: Broker, amqp_url: str, redis_url: str, partitions: int) -> None:
        super().__init__(size, broker, amqp_url, redis_url)
        self.partitions = partitions
        self.name = f"drain, {partitions} queue{'s' if partitions > 1 else ''}"

    async def measure(
        self, variant: str, scale: float = 1.0, profile: Path | None = None
    ) -> dict[str, float]:
        """Drain full queues.

        Raises:
            RuntimeError: acknowledgements are missing.

        """
        job = self._job(variant, scale)
        await self._broker.fill(job)
        facts = await run(_side(variant), "drain", _profiled(job, profile, f"drain-{job.actor_type}"))
        # A quorum queue forgets acknowledgements that were on their way to it when the channel closed.
        if (left := await self._broker.waiting(job)) > job.prefetch:
            raise RuntimeError(f"{self.name}, {variant}: {left} messages were not acknowledged")
        return facts


class Ask(Benchmark):
    """Calls that wait for their reply."""

    name = "ask"
    variants: Sequence[str] = (AT_LEAST_ONCE, BARE, EFFECTIVELY_ONCE)
    targets: Sequence[Target] = (Target("p50_ms", AT_LEAST_ONCE, BARE, 2.0, at_most=True),)
    partitions = 8

    async def measure(
        self, variant: str, scale: float = 1.0, profile: Path | None = None
    ) -> dict[str, float]:
        """Ask a worker in another process."""
        job = replace(self._job(variant), messages=max(10, round(self._size.asks * scale)), warm_up=50)
        await self._broker.empty(job)
        side = _side(variant)
        async with child(side, "serve", _profiled(job, profile, f"serve-{job.actor_type}")) as worker:
            facts = await run(side, "ask", _profiled(job, profile, f"ask-{job.actor_type}"))
            await worker.go()
            await worker.result()
        return facts


def _side(variant: str) -> str:
    if variant == BARE:
        return "bare"
    return "broker_actors" if variant.startswith(OURS) else variant


def _profiled(job: Job, folder: Path | None, name: str) -> Job:
    return job if folder is None else replace(job, profile=str(folder / f"{name}.txt"))
