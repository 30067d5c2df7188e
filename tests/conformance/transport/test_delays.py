"""Delays: messages wait in the levels and end in `actors.due`."""

from __future__ import annotations

import asyncio
import time

import pytest

from broker_actors.core import topology
from broker_actors.ports.transport import Transport
from tests.conformance.transport.brokers import HURRY, Connect, Inbox, message


@pytest.fixture
async def due(transport: Transport) -> Inbox:
    """What arrives in `actors.due`."""
    await transport.declare(topology.common())
    inbox = Inbox(acks=True)
    await transport.consume(topology.DUE, inbox, prefetch=100)
    return inbox


async def test_a_message_waits_in_the_delay_levels_and_arrives_in_due(
    transport: Transport, due: Inbox
) -> None:
    began_seconds = time.monotonic()
    sent = message("later", **{"ba-type": "Counter", "ba-id": "c1"})
    await transport.publish(topology.delay_route(3), sent)
    assert due.deliveries == []
    await due.wait_for(1)
    got = due.deliveries[0].message
    assert got.body == b"later"
    assert {name: got.headers[name] for name in sent.headers} == sent.headers
    # Never early, not even on the clock that runs ahead. How late depends on who else uses the machine.
    assert time.monotonic() - began_seconds >= 3 / HURRY


async def test_delays_of_different_length_do_not_block_each_other(transport: Transport, due: Inbox) -> None:
    for seconds in (1_000_000, 4, 1):
        await transport.publish(topology.delay_route(seconds), message(seconds))
    await due.wait_for(2)
    assert due.bodies == [b"1", b"4"]


async def test_delays_of_equal_length_keep_their_order(transport: Transport, due: Inbox) -> None:
    await asyncio.gather(*(transport.publish(topology.delay_route(1), message(n)) for n in range(50)))
    await due.wait_for(50)
    assert [int(body) for body in due.bodies] == list(range(50))


async def test_a_delay_outlives_the_connection_that_asked_for_it(connect: Connect) -> None:
    sender = await connect()
    await sender.declare(topology.common())
    await sender.publish(topology.delay_route(2), message("later"))
    await sender.close()
    receiver = await connect()
    inbox = Inbox(acks=True)
    await receiver.consume(topology.DUE, inbox, prefetch=1)
    await inbox.wait_for(1)
    assert inbox.bodies == [b"later"]


async def test_a_message_can_wait_again(transport: Transport, due: Inbox) -> None:
    await transport.publish(topology.delay_route(1), message("again"))
    await due.wait_for(1)
    await transport.publish(topology.delay_route(1), due.deliveries[0].message)
    await due.wait_for(2)
    assert due.bodies == [b"again", b"again"]
