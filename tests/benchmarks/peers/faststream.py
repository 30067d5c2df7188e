"""FastStream on RabbitMQ."""

from __future__ import annotations

from faststream import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Effects, Measured, Signals, pump


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
    effects = Effects(job.messages)
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
