"""The private RabbitMQ breaks and comes back as tests expect of it."""

import asyncio

import aio_pika
import aiormq
import pytest

from tests.servers import RabbitServer


async def _publish(url: str, queue: str, kind: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": kind})
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue, mandatory=True)


async def _take(url: str, queue: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        taken = await (await channel.get_queue(queue)).get(timeout=10)
        assert taken is not None
        await taken.ack()
        return taken.body


async def test_keeps_confirmed_messages_through_a_kill(rabbit_server: RabbitServer) -> None:
    url = rabbit_server.vhosts.create()
    for kind in ("classic", "quorum"):
        await _publish(url, kind, kind)

    await asyncio.to_thread(rabbit_server.kill)
    assert not rabbit_server.is_running
    with pytest.raises(ConnectionError):
        await aio_pika.connect(url)

    await asyncio.to_thread(rabbit_server.restart)
    assert await _take(url, "classic") == b"kept"
    assert await _take(url, "quorum") == b"kept"


async def test_is_silent_while_frozen_and_goes_on_afterwards(rabbit_server: RabbitServer) -> None:
    url = rabbit_server.vhosts.create()

    rabbit_server.freeze()
    # A frozen server does nothing that one could wait for instead.
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(aio_pika.connect(url), timeout=0.5)

    rabbit_server.thaw()
    await _publish(url, "q", "classic")
    assert await _take(url, "q") == b"kept"


@pytest.mark.verify
async def test_is_repaired_for_the_next_test(rabbit_server: RabbitServer) -> None:
    rabbit_server.freeze()
    rabbit_server.repair()
    rabbit_server.kill()
    rabbit_server.repair()

    await (await aio_pika.connect(rabbit_server.url)).close()


async def test_a_virtual_host_is_an_empty_broker(amqp_url: str, rabbit_server: RabbitServer) -> None:
    vhosts = rabbit_server.vhosts
    one, other = vhosts.create(), vhosts.create()
    assert len({amqp_url, one, other}) == 3

    await _publish(one, "q", "classic")
    with pytest.raises(aiormq.exceptions.ChannelNotFoundEntity):
        await _take(other, "q")

    vhosts.delete(one)
    with pytest.raises(aiormq.exceptions.AMQPError):
        await aio_pika.connect(one)


async def test_it_closes_the_connections_of_one_virtual_host(rabbit_server: RabbitServer) -> None:
    vhosts = rabbit_server.vhosts
    one, other = vhosts.create(), vhosts.create()
    closed, kept = await aiormq.connect(one), await aiormq.connect(other)
    while not closed.is_closed:
        # The broker's statistics learn of a connection late and tell nobody when they did.
        await asyncio.to_thread(vhosts.close_connections, one)
    assert not kept.is_closed
    await kept.close()
