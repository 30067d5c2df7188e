"""Looking at a mailbox from outside: how many messages wait, and whether anybody consumes it."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.core.errors import BrokerUnavailableError, UnroutableError
from broker_actors.core.topology import Binding, Queue, Route
from broker_actors.ports.transport import Depth, Transport
from tests.conformance.transport.brokers import (
    EXCHANGE,
    HANG_SECONDS,
    MAILBOX,
    Connect,
    Inbox,
    bodies,
    declare_mailbox,
    publish_all,
    read,
)

SHARED = {key: value for key, value in MAILBOX.arguments.items() if key != "x-single-active-consumer"}


async def until(transport: Transport, expected: Depth) -> None:
    """Return when `box` stands as expected: a broker hears of consumers and their end in its own time."""
    async with asyncio.timeout(HANG_SECONDS):
        while await transport.depth("box") != expected:
            pass


async def test_what_waits_is_counted(transport: Transport) -> None:
    await declare_mailbox(transport)
    assert await transport.depth("box") == Depth(0, 0)
    await publish_all(transport, range(3))
    assert await transport.depth("box") == Depth(3, 0)


async def test_what_a_consumer_holds_is_not_counted_but_the_consumer_is(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(5))
    inbox = Inbox()
    consumer = await transport.consume("box", inbox, prefetch=2)
    await inbox.wait_for(2)
    await until(transport, Depth(3, 1))
    await consumer.close()
    await until(transport, Depth(5, 0))


async def test_every_consumer_of_a_shared_queue_is_counted(connect: Connect) -> None:
    first, second = await connect(), await connect()
    await first.declare([EXCHANGE, Queue("box", SHARED), Binding("main", "box", "box")])
    for transport in (first, second):
        await transport.consume("box", Inbox(), prefetch=1)
    await until(first, Depth(0, 2))


async def test_one_who_stands_by_does_not_make_the_active_one_look_gone(connect: Connect) -> None:
    first, second = await connect(), await connect()
    await declare_mailbox(first)
    for transport in (first, second):
        await transport.consume("box", Inbox(), prefetch=1)
    assert (await first.depth("box")).consumers >= 1


async def test_looking_disturbs_nothing(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(3))
    inbox = Inbox()
    consumer = await transport.consume("box", inbox, prefetch=2)
    await inbox.wait_for(2)
    await asyncio.gather(*(transport.depth("box") for _ in range(20)))
    assert inbox.bodies == bodies(range(2))
    assert inbox.redelivered == [False, False]
    await consumer.close()
    assert await read(transport, "box", 3) == bodies(range(3))


async def test_a_queue_that_is_not_there_raises_and_harms_nothing(transport: Transport) -> None:
    await declare_mailbox(transport)
    inbox = Inbox(acks=True)
    await transport.consume("box", inbox, prefetch=10)
    asked = (transport.depth(name) for name in ("nobody", "box", "nothing"))
    nobody, box, nothing = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(nobody, UnroutableError)
    assert isinstance(nothing, UnroutableError)
    assert isinstance(box, Depth)
    await publish_all(transport, ["still", "there"], Route("main", "box"))
    await inbox.wait_for(2)


async def test_looking_after_closing_raises(transport: Transport) -> None:
    await declare_mailbox(transport)
    await transport.close()
    with pytest.raises(BrokerUnavailableError):
        await transport.depth("box")
