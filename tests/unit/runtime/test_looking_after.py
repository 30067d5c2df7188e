"""What watches over a worker's consumers: probes, and a look at mailboxes that wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.transport import MemoryBroker, MemoryTransport
from broker_actors.core import topology
from broker_actors.core.errors import BrokerUnavailableError
from broker_actors.core.events import Event, Trouble
from broker_actors.core.topology import Layout, Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import Delivery
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.stalls import Stalls
from broker_actors.runtime.watchdog import Watchdog

LAYOUT = Layout("Counter", partitions=1)
MAILBOX = LAYOUT.mailboxes()[0]


class Events:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


class Broken(MemoryTransport):
    """Takes probes and loses them, or refuses them."""

    error: Exception | None = None

    async def publish(self, route: Route, message: WireMessage) -> None:  # noqa: ARG002 - they go nowhere
        if self.error is not None:
            raise self.error


@pytest.fixture
async def transport() -> AsyncIterator[MemoryTransport]:
    opened = MemoryTransport(MemoryBroker(SystemClock()))
    await opened.declare([*topology.common(), *topology.of(LAYOUT)])
    yield opened
    await opened.close()


async def watched(dog: Watchdog, transport: MemoryTransport) -> None:
    await dog.declare()
    subscription = Subscription(dog.mailbox, "", lambda: None)

    def receive(delivery: Delivery) -> None:
        dog.receive(subscription, delivery)

    await transport.consume(dog.mailbox, receive, prefetch=10)


async def test_a_probe_that_comes_back_is_no_trouble(transport: MemoryTransport) -> None:
    dog = Watchdog("w1", transport, SystemClock(), Events())
    await watched(dog, transport)
    await dog.probe()
    assert not dog.trouble


async def test_a_probe_whose_queue_is_gone_makes_it_again(transport: MemoryTransport) -> None:
    dog = Watchdog("w1", transport, SystemClock(), Events(), patience_seconds=0.05)
    await dog.probe()
    assert "did not come back" in dog.trouble
    await watched(dog, transport)
    await dog.probe()
    assert not dog.trouble


@pytest.mark.parametrize(
    ("error", "said"), [(None, "did not come back"), (BrokerUnavailableError("no confirm"), "no confirm")]
)
async def test_a_probe_that_does_not_come_back_is_said_once(error: Exception | None, said: str) -> None:
    broken, events = Broken(MemoryBroker(SystemClock())), Events()
    broken.error = error
    dog = Watchdog("w1", broken, SystemClock(), events, patience_seconds=0.01)
    await dog.probe()
    await dog.probe()
    assert said in dog.trouble
    assert [type(event) for event in events.seen] == [Trouble]


async def test_a_mailbox_that_waits_and_is_not_served_is_opened_anew(transport: MemoryTransport) -> None:
    reopened = asyncio.Event()
    subscription = Subscription(MAILBOX, "Counter", reopened.set)
    await transport.publish(Route(topology.ACTORS, "Counter.g1.0"), WireMessage())
    stalls = Stalls(transport, Events())
    await stalls.look([subscription])
    assert not reopened.is_set(), "it may have been published this moment"
    await stalls.look([subscription])
    assert reopened.is_set()


async def test_a_mailbox_that_moves_or_is_empty_is_left_alone(transport: MemoryTransport) -> None:
    reopened = asyncio.Event()
    subscription = Subscription(MAILBOX, "Counter", reopened.set)
    stalls = Stalls(transport, Events())
    await stalls.look([subscription])
    await stalls.look([subscription])
    await transport.publish(Route(topology.ACTORS, "Counter.g1.0"), WireMessage())
    for _ in range(3):
        await stalls.look([subscription])
        subscription.delivered += 1
    assert not reopened.is_set()


async def test_a_look_at_a_mailbox_the_broker_does_not_have_is_no_error(transport: MemoryTransport) -> None:
    await Stalls(transport, Events()).look([Subscription("actors.gone", "Counter", lambda: None)])
