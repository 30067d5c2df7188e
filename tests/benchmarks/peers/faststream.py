"""FastStream on RabbitMQ."""

from __future__ import annotations

import asyncio
import uuid
from typing import Final

from faststream import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

from tests.benchmarks.job import Job
from tests.benchmarks.latency import check, measure_asks
from tests.benchmarks.measuring import Effects, Measured, Signals, pump

#: How long an answer is waited for; a guard.
ANSWER_SECONDS: Final = 30.0


def _parts(job: Job) -> tuple[RabbitBroker, RabbitQueue]:
    channel = Channel(prefetch_count=job.prefetch, on_return_raises=True)
    broker = RabbitBroker(job.amqp_url, logger=None, default_channel=channel)
    return broker, RabbitQueue(job.peer_queue, queue_type=QueueType.QUORUM, durable=True)


async def publish(job: Job, signals: Signals) -> None:
    """Publish, many at a time."""
    broker, queue = _parts(job)
    async with broker:
        await broker.declare_queue(queue)

        async def send(n: int) -> None:
            await broker.publish(n, queue=queue, persist=True)

        await pump(job.warm_up, job.in_flight, send)
        signals.ready()
        await signals.go()
        with Measured(job.profile) as measured:
            await pump(job.messages, job.in_flight, send)
        signals.result(measured.facts(job.messages))


async def drain(job: Job, signals: Signals) -> None:
    """Subscribe until everything that waits is done."""
    effects = Effects(job)
    broker, queue = _parts(job)

    async def add(n: int) -> None:
        effects.add(n)
        effects.done()

    broker.subscriber(queue, ack_policy=AckPolicy.REJECT_ON_ERROR)(add)
    await broker.connect()
    signals.ready()
    await signals.go()
    with Measured(job.profile) as measured:
        await broker.start()
        await effects.all()
    await broker.stop()
    signals.result(measured.facts(job.messages))


async def serve(job: Job, signals: Signals) -> None:
    """Answer until told to stop."""
    broker, queue = _parts(job)

    async def add(n: int) -> int:
        return n

    broker.subscriber(queue, ack_policy=AckPolicy.REJECT_ON_ERROR)(add)
    await broker.start()
    signals.ready()
    await signals.go()
    await broker.stop()
    signals.result({})


async def ask(job: Job, signals: Signals) -> None:
    """Request one at a time; many with a subscriber of the answers.

    Its `request` holds a lock until the answer is there. For a stream of requests its documentation
    recommends a subscriber of its own for the answers, which is much faster.
    """
    broker, queue = _parts(job)
    answers = RabbitQueue(f"{job.peer_queue}.XQ", exclusive=True, auto_delete=True)
    waiting: dict[str, asyncio.Future[int]] = {}

    async def answered(n: int, message: RabbitMessage) -> None:
        waiting.pop(message.correlation_id or "").set_result(n)

    broker.subscriber(answers, ack_policy=AckPolicy.ACK_FIRST)(answered)
    await broker.start()

    async def one(n: int) -> None:
        answer = await broker.request(n, queue=queue, persist=True, timeout=ANSWER_SECONDS)
        check(n, await answer.decode())

    async def many(n: int) -> None:
        correlation_id = uuid.uuid4().hex
        future = waiting[correlation_id] = asyncio.get_running_loop().create_future()
        await broker.publish(
            n, queue=queue, persist=True, reply_to=answers.name, correlation_id=correlation_id
        )
        check(n, await future)

    facts = await measure_asks(job, signals, one, many)
    await broker.stop()
    signals.result(facts)
