"""The embedded mode: broker, store, senders and worker in one process, nothing durable."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from broker_actors import ActorSystem, Worker
from tests.benchmarks.actors import ACTORS
from tests.benchmarks.job import Job
from tests.benchmarks.latency import measure_asks
from tests.benchmarks.measuring import Effects, Measured, Signals, pump
from tests.benchmarks.ours import Counting, asking, refs_of

#: Asks are made one at a time, so there are fewer.
TELLS_PER_ASK: Final = 16
ASKS_MIN: Final = 10


async def everything(job: Job, signals: Signals) -> None:
    """Tell until all have taken effect, then ask one at a time, then many."""
    effects = Effects(job)
    counting = Counting(effects)
    async with ActorSystem.connect(observer=counting) as system, Worker(system, ACTORS[job.actor_type]):
        refs = refs_of(system, job)

        async def send(n: int) -> None:
            await refs[n % len(refs)].add.tell(n)

        with Measured(job.profile) as told:
            await asyncio.gather(pump(job.messages, job.in_flight, send), effects.all())
        counting.count(None)
        one = asking(refs)
        fewer = replace(job, messages=max(ASKS_MIN, job.messages // TELLS_PER_ASK))
        asked = await measure_asks(fewer, signals, one, one)
    signals.result({**asked, **told.facts(job.messages)})
