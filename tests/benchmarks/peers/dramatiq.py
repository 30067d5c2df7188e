"""Dramatiq on RabbitMQ: eight threads, as it starts them by default, and a prefetch like everybody's."""

from __future__ import annotations

import os
from typing import Any, Final

import dramatiq
from dramatiq import worker
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Effects, Measured, Signals
from tests.benchmarks.peers.threads import SharedEffects, measure_asks_in_threads, pump_in_threads

#: How long a result is waited for; a guard.
RESULT_MS: Final = 30_000


class QuorumBroker(RabbitmqBroker):
    """A broker with quorum queues, for which there is no option."""

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {**super()._build_queue_arguments(queue_name), "x-queue-type": "quorum"}


def _broker(job: Job, *middleware: dramatiq.Middleware) -> QuorumBroker:
    broker = QuorumBroker(url=job.amqp_url, confirm_delivery=True, middleware=list(middleware))
    dramatiq.set_broker(broker)
    return broker


async def publish(job: Job, signals: Signals) -> None:
    """Send from many threads, for each send waits for its confirm."""
    broker = _broker(job)
    actor = dramatiq.actor(int, actor_name="add", queue_name=job.peer_queue, broker=broker)
    await pump_in_threads(job.warm_up, actor.send)
    signals.ready()
    await signals.go()
    with Measured(job.profile) as measured:
        await pump_in_threads(job.messages, actor.send)
    signals.result(measured.facts(job.messages))
    _leave()


async def drain(job: Job, signals: Signals) -> None:
    """Run a worker until everything that waits is done."""
    effects = Effects(job)
    shared = SharedEffects(effects)
    broker = _broker(job)

    def add(n: int) -> None:
        shared.add(n)

    dramatiq.actor(add, actor_name="add", queue_name=job.peer_queue, broker=broker)
    worker.QUEUE_PREFETCH = job.prefetch
    running = worker.Worker(broker, worker_threads=8)
    signals.ready()
    await signals.go()
    with Measured(job.profile) as measured:
        running.start()
        await effects.all()
    signals.result(measured.facts(job.messages))
    _leave()


async def serve(job: Job, signals: Signals) -> None:
    """Run a worker until told to stop."""
    broker, _ = _answering(job)
    worker.QUEUE_PREFETCH = job.prefetch
    worker.Worker(broker, worker_threads=8).start()
    signals.ready()
    await signals.go()
    signals.result({})
    _leave()


async def ask(job: Job, signals: Signals) -> None:
    """Wait for results in Redis, which its documentation recommends for waiting."""
    _, actor = _answering(job)
    signals.result(
        await measure_asks_in_threads(
            job, signals, actor.send, lambda sent: sent.get_result(block=True, timeout=RESULT_MS)
        )
    )
    _leave()


def _answering(job: Job) -> tuple[QuorumBroker, Any]:
    broker = _broker(job, Results(backend=RedisBackend(url=job.redis_url)))
    actor = dramatiq.actor(
        int, actor_name="add", queue_name=job.peer_queue, broker=broker, store_results=True
    )
    return broker, actor


def _leave() -> None:
    # Its threads would wait for their timeouts; nothing is left to do.
    os._exit(0)
