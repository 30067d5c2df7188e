"""Taskiq on taskiq-aio-pika."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq_aio_pika import AioPikaBroker
from taskiq_aio_pika.queue import Queue, QueueType

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Effects, Measured, Signals, pump


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
    effects = Effects(job.messages)

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
        receiving = asyncio.create_task(
            run_receiver_task(
                broker,
                max_async_tasks=job.prefetch,
                validate_params=False,
                ack_time=AcknowledgeType.WHEN_EXECUTED,
            )
        )
        await effects.all()
    receiving.cancel()
    with suppress(asyncio.CancelledError):
        await receiving
    await broker.shutdown()
    signals.result(measured.facts(job.messages))


def _add(effect: Callable[[int], int]) -> object:
    async def add(n: int) -> int:
        return effect(n)

    return add
