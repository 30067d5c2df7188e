"""Taskiq on taskiq-aio-pika."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from taskiq import AsyncBroker
from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq_aio_pika import AioPikaBroker
from taskiq_aio_pika.queue import Queue, QueueType
from taskiq_redis import RedisAsyncResultBackend

from tests.benchmarks.job import Job
from tests.benchmarks.latency import check, measure_asks
from tests.benchmarks.measuring import Effects, Measured, Signals, pump

#: How long an answer is waited for; a guard.
ANSWER_SECONDS: Final = 30.0
#: How often it is looked for: by default five times a second. Oftener is faster while there is one.
ALONE_SECONDS: Final = 0.001
TOGETHER_SECONDS: Final = 0.02


def _broker(job: Job) -> AioPikaBroker:
    queue = Queue(name=job.peer_queue, type=QueueType.QUORUM, durable=True)
    return AioPikaBroker(job.amqp_url, qos=job.prefetch, task_queues=[queue])


async def publish(job: Job, signals: Signals) -> None:
    """Kick, many at a time."""
    broker = _broker(job)
    task = broker.task(task_name="add")(_add(int))
    await broker.startup()
    await pump(job.warm_up, job.in_flight, task.kiq)
    signals.ready()
    await signals.go()
    with Measured(job.profile) as measured:
        await pump(job.messages, job.in_flight, task.kiq)
    signals.result(measured.facts(job.messages))
    await broker.shutdown()


async def drain(job: Job, signals: Signals) -> None:
    """Receive until everything that waits is done."""
    effects = Effects(job)

    def effect(n: int) -> int:
        effects.add(n)
        effects.done()
        return n

    broker = _broker(job)
    broker.task(task_name="add")(_add(effect))
    broker.is_worker_process = True
    await broker.startup()
    signals.ready()
    await signals.go()
    with Measured(job.profile) as measured:
        receiving = asyncio.create_task(_receive(broker, job))
        await effects.all()
    receiving.cancel()
    with suppress(asyncio.CancelledError):
        await receiving
    await broker.shutdown()
    signals.result(measured.facts(job.messages))


async def serve(job: Job, signals: Signals) -> None:
    """Run a worker until told to stop."""
    broker = _answering(job)
    broker.task(task_name="add")(_add(int))
    broker.is_worker_process = True
    await broker.startup()
    receiving = asyncio.create_task(_receive(broker, job))
    signals.ready()
    await signals.go()
    receiving.cancel()
    with suppress(asyncio.CancelledError):
        await receiving
    await broker.shutdown()
    signals.result({})


async def ask(job: Job, signals: Signals) -> None:
    """Look for results in Redis, as often as pays."""
    broker = _answering(job)
    task = broker.task(task_name="add")(_add(int))
    await broker.startup()

    async def asked(n: int, look_seconds: float) -> None:
        sent = await task.kiq(n)
        answer = await sent.wait_result(check_interval=look_seconds, timeout=ANSWER_SECONDS)
        check(n, answer.return_value)

    facts = await measure_asks(
        job, signals, lambda n: asked(n, ALONE_SECONDS), lambda n: asked(n, TOGETHER_SECONDS)
    )
    await broker.shutdown()
    signals.result(facts)


def _answering(job: Job) -> AsyncBroker:
    backend = RedisAsyncResultBackend[object](job.redis_url, result_ex_time=3600)
    return _broker(job).with_result_backend(backend)


async def _receive(broker: AsyncBroker, job: Job) -> None:
    await run_receiver_task(
        broker,
        max_async_tasks=job.prefetch,
        validate_params=False,
        ack_time=AcknowledgeType.WHEN_EXECUTED,
    )


def _add(effect: Callable[[int], int]) -> object:
    async def add(n: int) -> int:
        return effect(n)

    return add
