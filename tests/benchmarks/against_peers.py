"""The same work by other task queues, held against the platform and against the bare drivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.benchmarks.benchmark import (
    AIO_PIKA,
    AIORMQ,
    AT_LEAST_ONCE,
    EFFECTIVELY_ONCE,
    OURS,
    Drain,
    Publish,
    Size,
)
from tests.benchmarks.broker import Broker
from tests.benchmarks.figures import Target
from tests.benchmarks.job import Job
from tests.benchmarks.process import run

PEERS: Final = ("Dramatiq", "Celery", "Taskiq", "FastStream")
#: What some of them declare beside their queue.
_BESIDE: Final = ("", ".DQ", ".XQ")


class PeersPublish(Publish):
    """Messages to workers, confirmed."""

    name = "publish, beside peers"
    variants: Sequence[str] = (OURS, AIO_PIKA, AIORMQ, *PEERS)
    targets: Sequence[Target] = (
        Target("rate", OURS, AIORMQ, 1.8),
        *(Target("rate", OURS, peer, 3.0) for peer in PEERS),
    )

    async def measure(
        self, variant: str, scale: float = 1.0, profile: Path | None = None
    ) -> dict[str, float]:
        """Publish to empty queues."""
        if variant not in PEERS:
            return await super().measure(variant, scale, profile)
        return await _alone(self._broker, variant, "publish", self._job(variant, scale))


class PeersDrain(Drain):
    """Messages that wait, worked off by one process."""

    variants: Sequence[str] = (AT_LEAST_ONCE, EFFECTIVELY_ONCE, AIO_PIKA, AIORMQ, *PEERS)
    targets: Sequence[Target] = (
        Target("rate", AT_LEAST_ONCE, AIO_PIKA, 1.5),
        Target("rate", EFFECTIVELY_ONCE, AIO_PIKA, 0.5),
        *(Target("rate", AT_LEAST_ONCE, peer, 2.0) for peer in PEERS),
        *(Target("rate", EFFECTIVELY_ONCE, peer, 1.2) for peer in PEERS),
    )

    def __init__(self, size: Size, broker: Broker, amqp_url: str, redis_url: str) -> None:
        super().__init__(size, broker, amqp_url, redis_url, partitions=8)
        self.name = "drain, beside peers"

    async def measure(
        self, variant: str, scale: float = 1.0, profile: Path | None = None
    ) -> dict[str, float]:
        """Drain a full queue."""
        if variant not in PEERS:
            return await super().measure(variant, scale, profile)
        job = self._job(variant, scale)
        return await _alone(self._broker, variant, "publish", job, "drain")


async def _alone(broker: Broker, peer: str, work: str, job: Job, then: str = "") -> dict[str, float]:
    """Return what the last of one or two works measures, on a queue that is deleted in the end."""
    try:
        # What is to be drained is published without a warm-up: every message counts.
        facts = await run(peer, work, replace(job, warm_up=0) if then else job)
        return await run(peer, then, job) if then else facts
    finally:
        await broker.delete(*(job.peer_queue + beside for beside in _BESIDE), "taskiq.dead_letter")
