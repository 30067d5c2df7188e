"""Celery on RabbitMQ: the solo pool, its fastest for short work in one process."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from celery import Celery

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Effects, Measured, Signals
from tests.benchmarks.peers.threads import (
    PUBLISHERS,
    SharedEffects,
    measure_asks_in_threads,
    pump_in_threads,
)

#: How long a result is waited for; a guard.
RESULT_SECONDS: Final = 30


def _app(job: Job, *, answers: bool = False) -> Any:  # noqa: ANN401 - its classes have no types
    app = Celery("bench", broker=job.amqp_url)
    app.conf.update(
        task_default_queue=job.peer_queue,
        task_default_queue_type="quorum",
        task_default_exchange_type="direct",
        broker_transport_options={"confirm_publish": True},
        broker_pool_limit=PUBLISHERS,
        task_ignore_result=not answers,
        result_backend=job.redis_url if answers else None,
        task_acks_late=True,
        worker_prefetch_multiplier=job.prefetch,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_detect_quorum_queues=True,
    )
    # In every thread: which app is current is a matter of the thread, and without one there is no backend.
    app.set_default()
    return app


async def publish(job: Job, signals: Signals) -> None:
    """Send from many threads, for each send waits for its confirm."""
    task = _app(job).task(name="add")(_nothing)
    await pump_in_threads(job.warm_up, task.delay)
    signals.ready()
    await signals.go()
    with Measured(job.profile) as measured:
        await pump_in_threads(job.messages, task.delay)
    signals.result(measured.facts(job.messages))
    _leave()


async def drain(job: Job, signals: Signals) -> None:
    """Run a worker until everything that waits is done."""
    effects = Effects(job)
    shared = SharedEffects(effects)
    app = _app(job)

    def add(n: int) -> None:
        shared.add(n)

    app.task(name="add")(add)
    running = _worker(app)
    signals.ready()
    await signals.go()
    with Measured(job.profile) as measured:
        threading.Thread(target=running.start, daemon=True).start()
        await effects.all()
    signals.result(measured.facts(job.messages))
    _leave()


async def serve(job: Job, signals: Signals) -> None:
    """Run a worker until told to stop."""
    app = _app(job, answers=True)
    app.task(name="add")(_same)
    threading.Thread(target=_worker(app).start, daemon=True).start()
    signals.ready()
    await signals.go()
    signals.result({})
    _leave()


async def ask(job: Job, signals: Signals) -> None:
    """Wait for results in Redis; each thread has a connection that is told of them."""
    task = _app(job, answers=True).task(name="add")(_same)
    signals.result(
        await measure_asks_in_threads(job, signals, task.delay, lambda sent: sent.get(timeout=RESULT_SECONDS))
    )
    _leave()


def _worker(app: Any) -> Any:  # noqa: ANN401 - its classes have no types
    return app.WorkController(
        pool="solo", concurrency=1, without_gossip=True, without_mingle=True, without_heartbeat=True
    )


def _same(number: int) -> int:
    return number


def _nothing(_number: int) -> None:
    """Stand for the task where it is only sent."""


def _leave() -> None:
    # Its thread would have to be talked into ending; nothing is left to do.
    os._exit(0)
