"""Consuming: order, prefetch, who is active."""

from __future__ import annotations

import pytest

from broker_actors.core.errors import BrokerUnavailableError, UnroutableError
from broker_actors.core.topology import Binding, Queue, Route
from broker_actors.ports.transport import Transport
from tests.conformance.transport.brokers import (
    EXCHANGE,
    MAILBOX,
    Connect,
    Inbox,
    bodies,
    declare_mailbox,
    publish_all,
    read,
)


async def test_messages_arrive_in_order_while_they_are_published(transport: Transport) -> None:
    await declare_mailbox(transport)
    inbox = Inbox(acks=True)
    await transport.consume("box", inbox, prefetch=10)
    await publish_all(transport, range(500))
    await inbox.wait_for(500)
    assert inbox.bodies == bodies(range(500))


async def test_prefetch_bounds_what_is_out(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(6))
    inbox = Inbox()
    await transport.consume("box", inbox, prefetch=2)
    await inbox.wait_for(2)
    inbox.deliveries[0].ack()
    await inbox.wait_for(3)
    inbox.deliveries[2].ack()
    await inbox.wait_for(4)
    # Two are out and stay out: the last two can only come after more acks.
    assert inbox.bodies == bodies(range(4))


async def test_only_one_consumer_is_active(connect: Connect) -> None:
    first, second = await connect(), await connect()
    await declare_mailbox(first)
    one, two = Inbox(acks=True), Inbox(acks=True)
    await first.consume("box", one, prefetch=10)
    await second.consume("box", two, prefetch=10)
    await publish_all(first, range(50))
    await one.wait_for(50)
    assert (one.bodies, two.bodies) == (bodies(range(50)), [])


async def test_consumers_share_a_queue_without_single_active_consumer(connect: Connect) -> None:
    first, second = await connect(), await connect()
    arguments = {key: value for key, value in MAILBOX.arguments.items() if "single" not in key}
    await first.declare([EXCHANGE, Queue("shared", arguments), Binding("main", "shared", "shared")])
    one, two = Inbox(), Inbox()
    await first.consume("shared", one, prefetch=1)
    await second.consume("shared", two, prefetch=1)
    await publish_all(first, range(2), Route("main", "shared"))
    await one.wait_for(1)
    await two.wait_for(1)
    assert sorted(one.bodies + two.bodies) == bodies(range(2))


async def test_a_small_window_drains_a_long_queue(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(500))
    inbox = Inbox(acks=True)
    await transport.consume("box", inbox, prefetch=3)
    await inbox.wait_for(500)
    assert inbox.bodies == bodies(range(500))


async def test_consuming_an_unknown_queue_raises(transport: Transport) -> None:
    await declare_mailbox(transport)
    with pytest.raises(UnroutableError):
        await transport.consume("nobody", Inbox(), prefetch=1)
    await publish_all(transport, ["unharmed"])
    assert await read(transport, "box", 1) == [b"unharmed"]


async def test_consuming_after_closing_raises(transport: Transport) -> None:
    await declare_mailbox(transport)
    await transport.close()
    with pytest.raises(BrokerUnavailableError):
        await transport.consume("box", Inbox(), prefetch=1)
