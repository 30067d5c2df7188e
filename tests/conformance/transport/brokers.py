"""The brokers the conformance suite runs on, and what its tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.transport import MemoryBroker, MemoryTransport
from broker_actors.adapters.rabbitmq import sockets
from broker_actors.adapters.rabbitmq.transport import RabbitTransport
from broker_actors.core.events import Event
from broker_actors.core.topology import DELIVERY_LIMIT, Argument, Binding, Exchange, Queue, Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import Delivery, Transport

ADAPTERS = (
    "memory",
    "rabbitmq",
    # As with a release of the client library that is not known: then nothing goes past it.
    pytest.param("rabbitmq by the library", marks=pytest.mark.verify),
)
#: A guard against hanging, not a measurement.
HANG_SECONDS = 50.0
#: The in-process broker's clock runs so many times faster: its waits need not be real.
HURRY = 20

#: Opens another connection to the same broker, as another process would.
Connect: TypeAlias = Callable[[], Awaitable[Transport]]

#: A mailbox as the platform declares it.
MAILBOX = Queue(
    "box", {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT, "x-single-active-consumer": True}
)
EXCHANGE = Exchange("main")
TO_MAILBOX = Route("main", "box")


class HurriedClock(SystemClock):
    """A clock that runs ahead of the world."""

    def monotonic_seconds(self) -> float:
        return super().monotonic_seconds() * HURRY

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / HURRY)


class Events:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


class Inbox:
    """A receiver that remembers what it got, and acknowledges it if told to."""

    def __init__(self, *, acks: bool = False) -> None:
        self.deliveries: list[Delivery] = []
        self._acks = acks
        self._arrived = asyncio.Event()

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if self._acks:
            delivery.ack()
        self._arrived.set()

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.message.body for delivery in self.deliveries]

    @property
    def redelivered(self) -> list[bool]:
        return [delivery.redelivered for delivery in self.deliveries]

    async def wait_for(self, deliveries: int) -> None:
        """Return as soon as there are so many; fail when that takes too long."""
        async with asyncio.timeout(HANG_SECONDS):
            while len(self.deliveries) < deliveries:
                self._arrived.clear()
                await self._arrived.wait()


def go_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections be as with a release of the client library that is not known."""
    monkeypatch.setattr(sockets, "is_known", lambda: False)


@asynccontextmanager
async def transports(open_one: Connect) -> AsyncGenerator[Connect]:
    """Open transports, and close them all in the end."""
    opened: list[Transport] = []

    async def connect() -> Transport:
        opened.append(await open_one())
        return opened[-1]

    try:
        yield connect
    finally:
        for transport in reversed(opened):
            await transport.close()


def memory_broker() -> Connect:
    """Return how to connect to a fresh in-process broker."""
    broker = MemoryBroker(HurriedClock())

    async def connect() -> Transport:
        return MemoryTransport(broker)

    return connect


def rabbit_broker(url: str) -> Connect:
    """Return how to connect to the RabbitMQ at *url*."""

    async def connect() -> Transport:
        return await RabbitTransport.connect(url, Events())

    return connect


def message(body: bytes | int | str, **headers: object) -> WireMessage:
    """Return a message."""
    return WireMessage(headers=headers, body=body if isinstance(body, bytes) else str(body).encode())


def bodies(values: Sequence[object]) -> list[bytes]:
    """Return the bodies of messages made from *values*."""
    return [str(value).encode() for value in values]


async def declare_mailbox(transport: Transport, **arguments: Argument) -> None:
    """Declare the exchange `main` and the queue `box`, bound by its name; names have `_` for `-`."""
    more = {name.replace("_", "-"): value for name, value in arguments.items()}
    queue = Queue(MAILBOX.name, {**MAILBOX.arguments, **more})
    await transport.declare([EXCHANGE, queue, Binding("main", "box", "box")])


async def publish_all(transport: Transport, values: Sequence[object], route: Route = TO_MAILBOX) -> None:
    """Publish a message per value, all in flight together."""
    await asyncio.gather(*(transport.publish(route, message(str(value))) for value in values))


async def read(transport: Transport, mailbox: str, expected: int) -> list[bytes]:
    """Consume and acknowledge so many messages; return their bodies in order."""
    inbox = Inbox(acks=True)
    consumer = await transport.consume(mailbox, inbox, prefetch=100)
    await inbox.wait_for(expected)
    await consumer.close()
    return inbox.bodies
