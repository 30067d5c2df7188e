"""The lowest floor in Python: the same work done by hand on aiormq, the protocol below aio-pika.

`wait=False` leaves out a future per frame; what bounds the bytes on their way is the number
of publishes in flight, and the prefetch.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

import aiormq
from aiormq import Channel
from aiormq.abc import AbstractConnection, DeliveredMessage

from broker_actors.core.topology import ACTORS
from tests.benchmarks.job import Job, Messages, argument
from tests.benchmarks.measuring import Effects, Measured, Signals, pump


async def publish(job: Job, signals: Signals) -> None:
    """Publish persistent, mandatory and confirmed messages, many under way on one channel."""
    async with await aiormq.connect(job.amqp_url) as connection:
        sender = Sender(await channel_of(connection), Messages(job))
        await pump(job.warm_up, job.in_flight, sender.send)
        signals.ready()
        await signals.go()
        with Measured(job.profile) as measured:
            await pump(job.messages, job.in_flight, sender.send)
        signals.result(measured.facts(job.messages))


async def channel_of(connection: AbstractConnection, *, confirms: bool = True) -> Channel:
    """Open a channel on which unroutable messages raise; the abstract type does not know `wait`."""
    channel = await connection.channel(publisher_confirms=confirms, on_return_raises=True)
    assert isinstance(channel, Channel)
    return channel


class Sender:
    """Publishes the messages of a job, one by one."""

    def __init__(self, channel: Channel, messages: Messages) -> None:
        self._channel = channel
        self._messages = messages

    async def send(self, n: int) -> None:
        """Publish message *n* and wait for its confirm."""
        messages = self._messages
        properties = aiormq.spec.Basic.Properties(
            headers=dict(messages.headers(n)),
            content_type=messages.content_type,
            message_type=messages.type,
            message_id=uuid.uuid4().hex,
            timestamp=datetime.fromtimestamp(int(time.time()), UTC),
            delivery_mode=2,
        )
        await self._channel.basic_publish(
            messages.body(n),
            exchange=ACTORS,
            routing_key=messages.key(n),
            properties=properties,
            mandatory=True,
            wait=False,
        )


async def drain(job: Job, signals: Signals) -> None:
    """Consume what waits; acknowledge each message after its work."""
    effects = Effects(job)
    async with await aiormq.connect(job.amqp_url) as connection:
        channel = await connection.channel()
        await channel.basic_qos(prefetch_count=job.prefetch)

        async def receive(message: DeliveredMessage) -> None:
            effects.add(argument(message.body))
            await channel.basic_ack(message.delivery_tag or 0, wait=False)
            effects.done()

        signals.ready()
        await signals.go()
        with Measured(job.profile) as measured:
            for queue in job.mailboxes:
                await channel.basic_consume(queue, receive)
            await effects.all()
        await channel.close()
        signals.result(measured.facts(job.messages))
