"""Declaring: idempotent, in order, and a mismatch is explained."""

from __future__ import annotations

import pytest

from broker_actors.core import topology
from broker_actors.core.errors import BrokerUnavailableError, TopologyMismatchError
from broker_actors.core.topology import Binding, Exchange, Layout, Queue
from broker_actors.ports.transport import Transport
from tests.conformance.transport.brokers import (
    MAILBOX,
    Connect,
    declare_mailbox,
    message,
    publish_all,
    read,
)


async def test_declaring_twice_changes_nothing(connect: Connect) -> None:
    first, second = await connect(), await connect()
    everything = [*topology.common(), *topology.of(Layout("Counter"))]
    await first.declare(everything)
    mailbox = Layout("Counter").mailbox_of("c1")
    await first.publish(topology.Route("actors", Layout("Counter").key_of("c1")), message("kept"))
    await second.declare(everything)
    await first.declare(everything)
    assert await read(second, mailbox, 1) == [b"kept"]


async def test_declaring_nothing_is_fine(transport: Transport) -> None:
    await transport.declare([])


async def test_a_queue_with_other_arguments_raises_and_says_which(transport: Transport) -> None:
    await declare_mailbox(transport)
    other = {**MAILBOX.arguments, "x-single-active-consumer": False}
    with pytest.raises(TopologyMismatchError, match=r"box.*x-single-active-consumer"):
        await transport.declare([Queue("box", other)])


async def test_an_exchange_of_another_kind_raises_and_says_which(transport: Transport) -> None:
    await declare_mailbox(transport)
    with pytest.raises(TopologyMismatchError, match=r"main.*direct"):
        await transport.declare([Exchange("main", kind="topic")])


async def test_an_exchange_with_another_alternate_raises(transport: Transport) -> None:
    await declare_mailbox(transport)
    with pytest.raises(TopologyMismatchError, match="main"):
        await transport.declare([Exchange("main", alternate="elsewhere")])


@pytest.mark.parametrize(
    "binding",
    [
        Binding("nowhere", "box", ""),
        Binding("main", "nobody", ""),
        Binding("main", "nowhere", "", to_exchange=True),
    ],
)
async def test_a_binding_to_what_does_not_exist_raises(transport: Transport, binding: Binding) -> None:
    await declare_mailbox(transport)
    with pytest.raises(TopologyMismatchError):
        await transport.declare([binding])


async def test_a_mismatch_harms_nothing_else(transport: Transport) -> None:
    await declare_mailbox(transport)
    with pytest.raises(TopologyMismatchError):
        await transport.declare([Exchange("main", kind="topic")])
    await transport.declare([Exchange("another")])
    await publish_all(transport, ["unharmed"])
    assert await read(transport, "box", 1) == [b"unharmed"]


async def test_declaring_after_closing_raises(transport: Transport) -> None:
    await transport.close()
    with pytest.raises(BrokerUnavailableError):
        await transport.declare([Exchange("late")])
