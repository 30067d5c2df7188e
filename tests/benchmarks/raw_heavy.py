"""What more processes are worth on this machine: the same method, by hand on aio-pika.

Each process consumes its part of the mailboxes, from the beginning to the end: nobody hands any over.
"""

from __future__ import annotations

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Signals
from tests.benchmarks.ours_heavy import Tally, calculate, report


async def serve(job: Job, signals: Signals) -> None:
    """Consume; acknowledge each message after its work."""
    tally = Tally()

    async def receive(message: AbstractIncomingMessage) -> None:
        calculate()
        await message.ack()
        tally.ended()

    async with await aio_pika.connect_robust(job.amqp_url) as connection:
        channel = await connection.channel()
        await channel.set_qos(job.prefetch)
        which, processes = job.part
        for name in job.mailboxes[which::processes]:
            await (await channel.get_queue(name, ensure=False)).consume(receive)
        await report(tally, signals)
    signals.result({})
