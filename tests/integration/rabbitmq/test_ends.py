"""Consumers and channels that the broker ends: noticed, explained, opened again."""

from __future__ import annotations

import asyncio
import os

from broker_actors.adapters.rabbitmq.consumer import RabbitConsumer
from broker_actors.adapters.rabbitmq.transport import RabbitTransport
from broker_actors.core.events import Connected, ConnectionLost
from tests.conformance.transport.brokers import (
    HANG_SECONDS,
    MAILBOX,
    TO_MAILBOX,
    Inbox,
    bodies,
    declare_mailbox,
    message,
    publish_all,
)
from tests.integration.rabbitmq.control import evaluate
from tests.integration.rabbitmq.support import (
    Watcher,
    broker_version,
    first_copies,
    open_channel,
    open_transport,
    read_to_end,
)
from tests.servers import RabbitServer
from tests.servers.command import RABBITMQ

#: From this version on a timeout is a queue's own affair, and can be set for one.
TIMEOUT_PER_QUEUE = (4, 3)
#: A guard against hanging; brokers before that look for overdue consumers once a minute.
END_SECONDS = 150.0


async def opened(transport: RabbitTransport, inbox: Inbox, prefetch: int = 5) -> RabbitConsumer:
    """Open a consumer of `box`."""
    consumer = await transport.consume(MAILBOX.name, inbox, prefetch=prefetch)
    assert isinstance(consumer, RabbitConsumer)
    return consumer


async def why(consumer: RabbitConsumer) -> str:
    """Return why *consumer* ended."""
    async with asyncio.timeout(END_SECONDS):
        return await consumer.closed()


async def test_a_deleted_queue_ends_its_consumer(amqp_url: str) -> None:
    async with open_transport(amqp_url) as transport, open_channel(amqp_url) as channel:
        await declare_mailbox(transport)
        consumer = await opened(transport, inbox := Inbox())
        await publish_all(transport, ["held"])
        await inbox.wait_for(1)
        await channel.queue_delete(MAILBOX.name)
        assert "broker cancelled the consumer" in await why(consumer)
        inbox.deliveries[0].ack()
        await consumer.close()
        # Deleted or not: the connection serves on.
        await declare_mailbox(transport)
        await opened(transport, again := Inbox(acks=True))
        await publish_all(transport, ["new"])
        await again.wait_for(1)


async def test_a_channel_the_broker_closes_ends_its_consumer_only(amqp_url: str) -> None:
    watcher = Watcher()
    async with open_transport(amqp_url, watcher) as transport:
        await declare_mailbox(transport)
        await publish_all(transport, range(5))
        consumer = await opened(transport, inbox := Inbox(), prefetch=3)
        await inbox.wait_for(3)
        # An acknowledgement of nothing, which RabbitMQ answers by closing the channel.
        await consumer._channel.basic_ack(99)
        assert "unknown delivery tag 99" in await why(consumer)
        for delivery in inbox.deliveries:
            delivery.ack()
        await opened(transport, again := Inbox(acks=True))
        await again.wait_for(5)
        assert again.bodies == bodies(range(5))
        assert again.redelivered[:3] == [True] * 3
        assert watcher.of(ConnectionLost) == []


async def test_a_receiver_that_fails_ends_its_consumer(amqp_url: str) -> None:
    async with open_transport(amqp_url) as transport:
        await declare_mailbox(transport)
        await publish_all(transport, range(2))

        def receive(_: object) -> None:
            raise ZeroDivisionError

        consumer = await transport.consume(MAILBOX.name, receive, prefetch=2)
        async with asyncio.timeout(HANG_SECONDS):
            assert "ZeroDivisionError" in await consumer.closed()
        await opened(transport, again := Inbox(acks=True))
        await again.wait_for(2)
        assert again.bodies == bodies(range(2))


async def test_a_consumer_timeout_ends_the_consumer(amqp_url: str, rabbit_server: RabbitServer) -> None:
    async with open_channel(amqp_url) as channel:
        version = broker_version(channel)
    if version < TIMEOUT_PER_QUEUE and os.environ.get(RABBITMQ):
        # A broker started by a command has no control tool here: it looks once a minute, of its own accord.
        await hold_too_long(amqp_url, 1_500)
        return
    # The timeouts are far above a round trip, so that only the held message meets them.
    if version < TIMEOUT_PER_QUEUE:
        settings = "application:set_env(rabbit, consumer_timeout, 1500)"
        settings += ", application:set_env(rabbit, channel_tick_interval, 200)"
        await asyncio.to_thread(evaluate, rabbit_server, settings)
    try:
        await hold_too_long(amqp_url, 1_500 if version >= TIMEOUT_PER_QUEUE else 0)
    finally:
        if version < TIMEOUT_PER_QUEUE:
            settings = "application:set_env(rabbit, consumer_timeout, 1800000)"
            settings += ", application:set_env(rabbit, channel_tick_interval, 60000)"
            await asyncio.to_thread(evaluate, rabbit_server, settings)


async def hold_too_long(amqp_url: str, timeout_ms: int) -> None:
    """Hold a message until the broker takes it away; the next consumer gets all of them in order."""
    async with open_transport(amqp_url) as transport:
        await declare_mailbox(transport, **({"x_consumer_timeout": timeout_ms} if timeout_ms else {}))
        await publish_all(transport, range(3))
        consumer = await opened(transport, inbox := Inbox(), prefetch=2)
        await inbox.wait_for(2)
        assert "timeout" in await why(consumer)
        inbox.deliveries[0].ack()
        await consumer.close()
        await opened(transport, again := Inbox(acks=True))
        await again.wait_for(3)
        assert again.bodies == bodies(range(3))
        assert again.redelivered == [True, True, False]


async def test_connections_the_broker_closes_are_opened_again(rabbit_server: RabbitServer) -> None:
    url, watcher = await asyncio.to_thread(rabbit_server.vhosts.create), Watcher()
    async with asyncio.timeout(HANG_SECONDS), open_transport(url, watcher) as transport:
        await declare_mailbox(transport)
        consumer = await opened(transport, Inbox())
        numbers = iter(range(1_000_000))

        async def publish_on() -> None:
            while not (len(watcher.of(Connected)) >= 3 and consumer.ended):
                await transport.publish(TO_MAILBOX, message(next(numbers)))

        publishing = asyncio.gather(*(publish_on() for _ in range(20)))
        # The broker's list of connections lags behind: close what it knows until it knew both.
        while not (len(watcher.of(Connected)) >= 3 and consumer.ended):
            await asyncio.to_thread(rabbit_server.vhosts.close_connections, url)
        await publishing
        assert "CONNECTION_FORCED" in await why(consumer)
        arrived = first_copies(await read_to_end(transport))
        assert arrived == list(range(next(numbers)))
