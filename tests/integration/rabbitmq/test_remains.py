"""A channel that is given up, or closed by a broker that takes its time, stops nothing else."""

from __future__ import annotations

import asyncio

import aiormq
import pytest
from aiormq.abc import DeliveredMessage

from broker_actors.adapters.rabbitmq import channels
from broker_actors.adapters.rabbitmq.channels import close_channel, ended
from broker_actors.adapters.rabbitmq.connection import Connection, passages_of
from broker_actors.adapters.rabbitmq.options import CONSUMING_FRAME_BUFFER
from tests.conformance.transport.brokers import HANG_SECONDS, MAILBOX, declare_mailbox, publish_all
from tests.integration.rabbitmq.support import Watcher, open_transport

#: Each is three frames: many times what a channel buffers.
MESSAGES = 10 * CONSUMING_FRAME_BUFFER


async def give_up(channel: aiormq.Channel) -> None:
    """Consume, and cancel a call whose answer comes behind everything the broker sends."""
    delivered = asyncio.Event()

    async def receive(_delivered: DeliveredMessage) -> None:
        delivered.set()

    await channel.basic_qos(prefetch_count=MESSAGES)
    await channel.basic_consume(MAILBOX.name, receive)
    await delivered.wait()
    asking = asyncio.ensure_future(channel.basic_qos(prefetch_count=1))
    while channel.connection.write_queue.empty():  # noqa: ASYNC110 - a few passes of the loop, and nothing tells of it
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    await close_channel(channel)


async def test_a_channel_whose_close_is_answered_late_keeps_the_connection(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(amqp_url, "test", 10, Watcher())
    connection.start()
    try:
        async with asyncio.timeout(HANG_SECONDS):
            channel, other = [await connection.channel(confirms=False) for _ in range(2)]
            amqp, passages = await connection.opened(), passages_of(channel)
            assert passages is not None
            transport = passages.writer.transport
            assert isinstance(transport, asyncio.ReadTransport)
            transport.pause_reading()
            # Time for the broker to close it; its answer is not read.
            monkeypatch.setattr(channels, "CLOSE_SECONDS", 0.5)
            await close_channel(channel)
            assert not channel.is_closed
            transport.resume_reading()
            await ended(channel)
            await other.basic_qos(prefetch_count=1)
            assert await connection.opened() is amqp
    finally:
        await connection.close()


async def test_a_channel_given_up_while_it_is_sent_to_does_not_stop_its_connection(amqp_url: str) -> None:
    async with open_transport(amqp_url) as transport:
        await declare_mailbox(transport)
        await publish_all(transport, range(MESSAGES))
    connection = Connection(amqp_url, "test", 10, Watcher())
    connection.start()
    try:
        async with asyncio.timeout(HANG_SECONDS):
            channel = await connection.channel(confirms=False)
            await give_up(channel)
            amqp = await connection.opened()
            other = await connection.channel(confirms=False)
            await other.basic_qos(prefetch_count=1)
            # The same connection: it was not merely lost and opened again.
            assert await connection.opened() is amqp
    finally:
        await connection.close()
