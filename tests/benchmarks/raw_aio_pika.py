"""The floor that counts: the same work done by hand on aio-pika, as its documentation shows it."""

from __future__ import annotations

import time
import uuid

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from broker_actors.core.topology import ACTORS
from tests.benchmarks.job import Job, Messages, argument
from tests.benchmarks.measuring import Effects, Measured, Signals, pump


async def publish(job: Job, signals: Signals) -> None:
    """Publish persistent, mandatory and confirmed messages, many under way on one channel."""
    messages = Messages(job)
    async with await aio_pika.connect_robust(job.amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange(ACTORS, ensure=False)

        async def send(n: int) -> None:
            message = aio_pika.Message(
                messages.body(n),
                headers=dict(messages.headers(n)),
                content_type=messages.content_type,
                type=messages.type,
                message_id=uuid.uuid4().hex,
                timestamp=time.time(),
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await exchange.publish(message, messages.key(n), mandatory=True)

        await pump(job.warm_up, job.in_flight, send)
        signals.ready()
        await signals.go()
        with Measured(job.profile) as measured:
            await pump(job.messages, job.in_flight, send)
        signals.result(measured.facts(job.messages))


async def drain(job: Job, signals: Signals) -> None:
    """Consume what waits; acknowledge each message after its work."""
    effects = Effects(job)

    async def receive(message: AbstractIncomingMessage) -> None:
        effects.add(argument(message.body))
        await message.ack()
        effects.done()

    async with await aio_pika.connect_robust(job.amqp_url) as connection:
        channel = await connection.channel()
        await channel.set_qos(job.prefetch)
        queues = [await channel.get_queue(name, ensure=False) for name in job.mailboxes]
        signals.ready()
        await signals.go()
        with Measured(job.profile) as measured:
            for queue in queues:
                await queue.consume(receive)
            await effects.all()
        await channel.close()
        signals.result(measured.facts(job.messages))
