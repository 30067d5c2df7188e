"""What a live actor takes of its worker's memory."""

from __future__ import annotations

import gc
import os
from dataclasses import replace

from broker_actors import ActorSystem, Settings, Worker
from tests.benchmarks.actors import ACTORS
from tests.benchmarks.footprint import resident_bytes
from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Effects, Signals
from tests.benchmarks.ours import Counting


async def memory(job: Job, signals: Signals) -> None:
    """Run a worker that has some actors, say so, and measure what it takes to have many more."""
    # Whatever is loaded, opened or allocated once is there after those that come beforehand.
    first, rest = (
        Effects(replace(job, messages=count, beforehand=0)) for count in (job.beforehand, job.messages)
    )
    counting = Counting(first)
    settings = Settings(
        url=job.amqp_url, redis_url=job.redis_url, residents_max=2 * (job.messages + job.beforehand)
    )
    async with (
        ActorSystem(settings, observer=counting) as system,
        Worker(system, ACTORS[job.actor_type]) as worker,
    ):
        signals.ready()
        await first.all()
        before_bytes = _resident_bytes()
        counting.count(rest)
        signals.report({})
        await rest.all()
        taken_bytes = _resident_bytes() - before_bytes
        live = worker.residents
    if live < job.messages:
        raise RuntimeError(f"{live} of {job.messages} actors are live")
    signals.result({"bytes": taken_bytes / job.messages})


def _resident_bytes() -> int:
    gc.collect()
    return resident_bytes(os.getpid())
