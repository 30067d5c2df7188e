"""Where messages go: exchanges, bindings, alternates."""

from __future__ import annotations

import pytest

from broker_actors.core import topology
from broker_actors.core.address import Address
from broker_actors.core.errors import UnroutableError
from broker_actors.core.topology import Binding, Declaration, Exchange, Layout, Queue, Route
from broker_actors.ports.transport import Transport
from tests.conformance.transport.brokers import MAILBOX, Inbox, message, publish_all, read

PLAIN = {key: value for key, value in MAILBOX.arguments.items() if key != "x-single-active-consumer"}


def queues(*names: str) -> list[Declaration]:
    return [Queue(name, PLAIN) for name in names]


async def test_a_direct_exchange_compares_the_whole_key(transport: Transport) -> None:
    bindings = [Binding("x", "a", "k"), Binding("x", "b", "k"), Binding("x", "c", "k.1")]
    await transport.declare([Exchange("x"), *queues("a", "b", "c"), *bindings])
    await transport.publish(Route("x", "k"), message("one"))
    await transport.publish(Route("x", "k.1"), message("two"))
    assert [await read(transport, name, 1) for name in "abc"] == [[b"one"], [b"one"], [b"two"]]
    with pytest.raises(UnroutableError):
        await transport.publish(Route("x", "k.2"), message("three"))


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("a.*.c", "a.b.c", True),
        ("a.*.c", "a.c", False),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("#.c", "a.b.c", True),
        ("#.b.#", "a.b.c", True),
        ("#.b.#", "b", True),
        ("*", "a.b", False),
        ("*.1.#", "0.1.0.due", True),
        ("*.1.#", "0.0.1.due", False),
        ("#", "", True),
    ],
)
async def test_a_topic_exchange_matches_words(
    transport: Transport, pattern: str, key: str, *, matches: bool
) -> None:
    await transport.declare([Exchange("x", kind="topic"), *queues("a"), Binding("x", "a", pattern)])
    if matches:
        await transport.publish(Route("x", key), message("hit"))
        assert await read(transport, "a", 1) == [b"hit"]
    else:
        with pytest.raises(UnroutableError):
            await transport.publish(Route("x", key), message("miss"))


async def test_a_fanout_exchange_ignores_the_key(transport: Transport) -> None:
    bindings = [Binding("x", "a", ""), Binding("x", "b", "ignored")]
    await transport.declare([Exchange("x", kind="fanout"), *queues("a", "b"), *bindings])
    await transport.publish(Route("x", "anything"), message("all"))
    assert [await read(transport, name, 1) for name in "ab"] == [[b"all"], [b"all"]]


async def test_a_queue_bound_twice_gets_a_message_once(transport: Transport) -> None:
    bindings = [Binding("x", "a", "#"), Binding("x", "a", "k"), Binding("x", "a", "*")]
    await transport.declare([Exchange("x", kind="topic"), *queues("a"), *bindings])
    await publish_all(transport, ["once", "then"], Route("x", "k"))
    assert await read(transport, "a", 2) == [b"once", b"then"]


async def test_exchanges_pass_on_to_exchanges(transport: Transport) -> None:
    await transport.declare([
        Exchange("x"), Exchange("y", kind="topic"), *queues("a"),
        Binding("x", "y", "k.1", to_exchange=True), Binding("y", "a", "k.*"),
    ])  # fmt: skip
    await transport.publish(Route("x", "k.1"), message("through"))
    assert await read(transport, "a", 1) == [b"through"]


async def test_exchanges_bound_in_a_circle_pass_a_message_on_once(transport: Transport) -> None:
    await transport.declare([
        Exchange("x", kind="fanout"), Exchange("y", kind="fanout"), *queues("a"),
        Binding("x", "y", "", to_exchange=True), Binding("y", "x", "", to_exchange=True),
        Binding("y", "a", ""),
    ])  # fmt: skip
    await publish_all(transport, ["once", "then"], Route("x", ""))
    assert await read(transport, "a", 2) == [b"once", b"then"]


async def test_an_alternate_exchange_takes_what_would_be_returned(transport: Transport) -> None:
    await transport.declare([
        Exchange("lost", kind="fanout"), Exchange("x", alternate="lost"), *queues("a", "strays"),
        Binding("lost", "strays", ""), Binding("x", "a", "k"),
    ])  # fmt: skip
    await transport.publish(Route("x", "k"), message("home"))
    await transport.publish(Route("x", "nobody"), message("stray"))
    assert await read(transport, "a", 1) == [b"home"]
    assert await read(transport, "strays", 1) == [b"stray"]


async def test_the_platforms_topology_takes_envelopes_and_strays(transport: Transport) -> None:
    layout = Layout("Counter", partitions=2)
    await transport.declare([*topology.common(), *topology.of(layout)])
    c1 = Address("Counter", "c1")
    await transport.publish(layout.route_to(c1), message("ours"))
    await transport.publish(Route(topology.IN, layout.key_of("c1")), message("foreign"))
    assert await read(transport, layout.mailbox_of("c1"), 2) == [b"ours", b"foreign"]
    await transport.publish(Route(topology.IN, "Unknown.g1.0"), message("stray"))
    assert await read(transport, topology.UNROUTABLE, 1) == [b"stray"]
    with pytest.raises(UnroutableError):
        await transport.publish(Route(topology.ACTORS, "Unknown.g1.0"), message("returned"))
    await transport.publish(topology.dead_route("Counter"), message("dead"))
    assert await read(transport, topology.dead_queue("Counter"), 1) == [b"dead"]


async def test_everything_published_to_a_fanout_arrives_in_order(transport: Transport) -> None:
    await transport.declare([Exchange("x", kind="fanout"), *queues("a"), Binding("x", "a", "")])
    inbox = Inbox(acks=True)
    await transport.consume("a", inbox, prefetch=10)
    await publish_all(transport, range(100), Route("x", ""))
    await inbox.wait_for(100)
    assert [int(body) for body in inbox.bodies] == list(range(100))
