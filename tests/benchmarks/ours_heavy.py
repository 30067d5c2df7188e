"""A method of five milliseconds of processor time, run by as many worker processes as are started."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from broker_actors import ActorSystem, Worker, actor, method
from broker_actors.core.events import Event, TurnEnded
from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Signals

CPU_SECONDS: Final = 0.005
#: Enough that two processes have about the same.
PARTITIONS: Final = 64
#: A process that ended no turn for this long has none left: each takes a fiftieth of it.
IDLE_SECONDS: Final = 0.25


@actor(partitions=PARTITIONS, delivery="at_least_once")
class Heavy:
    """Calculates."""

    @method
    def add(self, _n: int) -> None:
        """Use the processor."""
        calculate()


def calculate() -> None:
    """Use the processor for `CPU_SECONDS`, however fast it is and whoever else does."""
    until_seconds = time.thread_time() + CPU_SECONDS
    while time.thread_time() < until_seconds:
        pass


class Tally:
    """An observer that counts turns, and knows when the last one ended."""

    def __init__(self) -> None:
        self.count = 0
        self.ended_seconds = 0.0

    def observe(self, event: Event) -> None:
        """Count *event* if it is the end of a turn."""
        if isinstance(event, TurnEnded):
            self.ended()

    def ended(self) -> None:
        """Count one more."""
        self.count += 1
        self.ended_seconds = time.monotonic()


async def serve(job: Job, signals: Signals) -> None:
    """Run a worker."""
    tally = Tally()
    async with (
        ActorSystem.connect(job.amqp_url, job.redis_url, observer=tally) as system,
        Worker(system, Heavy),
    ):
        await report(tally, signals)
    signals.result({})


async def report(tally: Tally, signals: Signals) -> None:
    """Each time it is asked for, say how many turns there were since, once none is left."""
    signals.ready()
    counted = 0
    while await signals.go():
        await _idle(tally)
        signals.report({"count": tally.count - counted, "ended": tally.ended_seconds})
        counted = tally.count


async def _idle(tally: Tally) -> None:
    seen = -1
    while seen != tally.count:
        seen = tally.count
        await asyncio.sleep(IDLE_SECONDS)
