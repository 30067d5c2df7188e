"""What RabbitMQ does that the design rests on. A broker that changes its mind fails here first."""

from __future__ import annotations

import asyncio

import aiormq
import pytest
from aiormq.abc import DeliveredMessage

from broker_actors.core.errors import UnroutableError
from broker_actors.core.topology import DELIVERY_LIMIT, Route
from broker_actors.core.wire import WireMessage
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
from tests.integration.rabbitmq.support import broker_version, open_channel, open_transport

#: From this version on a returned message goes to the head of a queue without a delivery limit too.
ORDER_WITHOUT_LIMIT = (4, 0)


class RawInbox:
    """Collects what a bare channel receives."""

    def __init__(self) -> None:
        self.deliveries: list[DeliveredMessage] = []
        self._arrived = asyncio.Event()

    async def __call__(self, delivered: DeliveredMessage) -> None:
        self.deliveries.append(delivered)
        self._arrived.set()

    @property
    def bodies(self) -> list[bytes]:
        return [delivered.body for delivered in self.deliveries]

    async def wait_for(self, deliveries: int) -> None:
        async with asyncio.timeout(HANG_SECONDS):
            while len(self.deliveries) < deliveries:
                self._arrived.clear()
                await self._arrived.wait()


async def order_after_a_return(channel: aiormq.Channel, delivery_limit: int | None) -> list[bytes]:
    """Give the first of three messages back; return the order in which they come."""
    limit = {} if delivery_limit is None else {"x-delivery-limit": delivery_limit}
    queue = f"limit-{delivery_limit}"
    await channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum", **limit})
    for n in range(3):
        await channel.basic_publish(str(n).encode(), routing_key=queue)
    inbox = RawInbox()
    await channel.basic_qos(prefetch_count=1)
    await channel.basic_consume(queue, inbox)
    await inbox.wait_for(1)
    await channel.basic_nack(inbox.deliveries[0].delivery_tag or 0, requeue=True)
    for n in range(1, 4):
        await inbox.wait_for(n + 1)
        await channel.basic_ack(inbox.deliveries[n].delivery_tag or 0)
    return inbox.bodies


async def test_a_delivery_limit_keeps_the_order_of_what_is_given_back(amqp_url: str) -> None:
    async with open_channel(amqp_url, confirms=True) as channel:
        assert await order_after_a_return(channel, DELIVERY_LIMIT) == bodies([0, 0, 1, 2])


async def test_without_a_limit_old_brokers_put_what_is_given_back_behind_the_rest(amqp_url: str) -> None:
    async with open_channel(amqp_url, confirms=True) as channel:
        old = broker_version(channel) < ORDER_WITHOUT_LIMIT
        assert await order_after_a_return(channel, None) == bodies([0, 1, 2, 0] if old else [0, 0, 1, 2])


async def test_cancelling_with_unacked_messages_lets_later_ones_overtake(amqp_url: str) -> None:
    """Why a consumer is closed with its channel and never cancelled."""
    async with (
        open_transport(amqp_url) as transport,
        open_channel(amqp_url) as one,
        open_channel(amqp_url) as two,
    ):
        await declare_mailbox(transport)
        await publish_all(transport, range(3))
        held, next_one = RawInbox(), RawInbox()
        await one.basic_qos(prefetch_count=1)
        tag = (await one.basic_consume(MAILBOX.name, held)).consumer_tag
        await held.wait_for(1)
        await two.basic_consume(MAILBOX.name, next_one)
        await one.basic_cancel(str(tag))
        await next_one.wait_for(2)
        assert next_one.bodies == bodies([1, 2]), "while 0 is still in the hands of the first"


async def test_closing_the_channel_lets_nothing_overtake(amqp_url: str) -> None:
    async with open_transport(amqp_url) as transport, open_channel(amqp_url) as two:
        await declare_mailbox(transport)
        await publish_all(transport, range(3))
        consumer = await transport.consume(MAILBOX.name, held := Inbox(), prefetch=1)
        await held.wait_for(1)
        next_one = RawInbox()
        await two.basic_consume(MAILBOX.name, next_one)
        await consumer.close()
        await next_one.wait_for(3)
        assert next_one.bodies == bodies(range(3))


async def test_equal_message_ids_do_not_hide_an_unroutable_publish(amqp_url: str) -> None:
    """The library matches returns by message id: with a reused one it confirmed the lost message."""
    async with open_transport(amqp_url) as transport:
        await declare_mailbox(transport)
        same = WireMessage(body=b"0", message_id="same")
        for _ in range(20):
            lost, kept = await asyncio.gather(
                transport.publish(Route("main", "nobody"), same),
                transport.publish(TO_MAILBOX, same),
                return_exceptions=True,
            )
            assert isinstance(lost, UnroutableError)
            assert kept is None


async def test_many_orderly_closes_dead_letter_nothing(amqp_url: str) -> None:
    """The 4.x default limit of 20 would give a whole window up after a few deploys."""
    async with open_transport(amqp_url) as transport:
        await declare_mailbox(transport)
        await publish_all(transport, range(5))
        for _ in range(30):
            consumer = await transport.consume(MAILBOX.name, inbox := Inbox(), prefetch=5)
            await inbox.wait_for(5)
            assert inbox.bodies == bodies(range(5))
            await consumer.close()


async def test_a_returned_message_in_the_middle_keeps_the_rest_in_order(amqp_url: str) -> None:
    async with open_transport(amqp_url) as transport:
        await declare_mailbox(transport)
        routes = [Route("main", "nobody") if n % 7 == 3 else TO_MAILBOX for n in range(200)]
        ended = await asyncio.gather(
            *(transport.publish(route, message(n)) for n, route in enumerate(routes)), return_exceptions=True
        )
        refused = [n for n, error in enumerate(ended) if error is not None]
        assert refused == [n for n in range(200) if n % 7 == 3]
        with pytest.raises(UnroutableError):
            raise next(error for error in ended if error is not None)
        await transport.consume(MAILBOX.name, inbox := Inbox(acks=True), prefetch=50)
        await inbox.wait_for(200 - len(refused))
        assert inbox.bodies == bodies([n for n in range(200) if n not in refused])
