"""What every benchmark is: variants that take turns, and what they are held to."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.benchmarks.broker import Broker
from tests.benchmarks.figures import Target
from tests.benchmarks.job import Job
from tests.benchmarks.variants import actor_type, is_present

#: Rounds of what takes long: with two processes each for eight variants, and what varies little.
FEWER_ROUNDS: Final = 4
FEW_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        messages: in one sample of publish, drain and both together.
        asks: in one sample, one at a time; four times as many go 100 at a time.
        chunks: of the stream that is measured, and of twenty streams together.
        crowd: how many actors are activated, woken and kept in memory.
        actors: how many the messages are spread over elsewhere.
        in_flight: publishes under way at a time.
        prefetch: deliveries a consumer holds, per queue.
        rounds: how often the variants take turns.
        partitions: the queue counts that are drained.

    """

    messages: int = 6_000
    asks: int = 300
    chunks: int = 5_000
    crowd: int = 10_000
    actors: int = 100
    in_flight: int = 500
    prefetch: int = 1_000
    rounds: int = 5
    partitions: tuple[int, ...] = (8,)


@dataclass(frozen=True, slots=True)
class Place:
    """Where is measured: the servers."""

    broker: Broker
    amqp_url: str
    redis_url: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a sample is taken.

    Attributes:
        scale: the part of the size to measure, for a warm-up.
        profile: where to write profiles of the platform's side; None for none.

    """

    scale: float = 1.0
    profile: Path | None = None

    def of(self, count: int) -> int:
        """Return the part of *count* to measure."""
        return max(1, round(count * self.scale))

    def profiled(self, job: Job, name: str) -> Job:
        """Return *job* with the file for its profile, if one is wanted."""
        return replace(job, profile=str(self.profile / f"{name}.txt")) if self.profile else job


class Benchmark(ABC):
    """One thing that is measured.

    Attributes:
        key: its name on the command line and in names of files.
        name: its title.
        variants: what takes turns.
        targets: what the variants are held to.
        partitions: how many queues each type has.
        rounds_max: the most rounds it is worth.

    """

    key: str
    name: str
    variants: Sequence[str]
    targets: Sequence[Target]
    partitions: int = 8
    rounds_max: int = 1_000

    def __init__(self, size: Size, place: Place) -> None:
        self._size = size
        self._place = place
        self._broker = place.broker
        self.variants = [variant for variant in self.variants if is_present(variant)]
        self.targets = [found for target in self.targets if (found := target.among(self.variants))]

    async def prepare(self) -> None:
        """Declare what the variants use."""
        for name in sorted({self.job(variant).actor_type for variant in self.variants}):
            await self._broker.declare(replace(self.job(self.variants[0]), actor_type=name).layout)

    @abstractmethod
    async def measure(self, variant: str, sampling: Sampling) -> dict[str, float]:
        """Return one sample of *variant*."""

    def job(self, variant: str, messages: int = 1) -> Job:
        """Return what a process of *variant* is told, with a new sender: nothing is a duplicate."""
        size, place = self._size, self._place
        return Job(
            amqp_url=place.amqp_url,
            redis_url=place.redis_url,
            actor_type=actor_type(variant, self.partitions),
            partitions=self.partitions,
            actors=size.actors,
            messages=messages,
            warm_up=size.in_flight,
            in_flight=size.in_flight,
            prefetch=size.prefetch,
            sender=secrets.token_hex(16),
        )
