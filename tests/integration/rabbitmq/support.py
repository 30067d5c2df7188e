"""What the tests on a real RabbitMQ share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

import aiormq

from broker_actors.adapters.rabbitmq.options import RabbitOptions
from broker_actors.adapters.rabbitmq.transport import RabbitTransport
from broker_actors.core.events import Event
from broker_actors.ports.transport import Delivery
from tests.conformance.transport.brokers import HANG_SECONDS, TO_MAILBOX, Inbox, message

SomeEvent = TypeVar("SomeEvent", bound=Event)
END = b"end"


class Watcher:
    """An observer that can be waited for."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._changed = asyncio.Event()

    def observe(self, event: Event) -> None:
        self.seen.append(event)
        self._changed.set()

    def of(self, kind: type[SomeEvent]) -> list[SomeEvent]:
        """What of *kind* was seen."""
        return [event for event in self.seen if isinstance(event, kind)]

    async def wait_for(self, kind: type[SomeEvent], count: int = 1) -> list[SomeEvent]:
        """Return as soon as there are so many of *kind*."""
        async with asyncio.timeout(HANG_SECONDS):
            while len(self.of(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.of(kind)


@asynccontextmanager
async def open_transport(
    url: str, watcher: Watcher | None = None, *, timeout_seconds: float = HANG_SECONDS
) -> AsyncGenerator[RabbitTransport]:
    """Open a transport whose calls wait *timeout_seconds* at most, and close it in the end."""
    options = RabbitOptions(
        connect_timeout_seconds=timeout_seconds, publish_timeout_seconds=timeout_seconds, in_flight_max=300
    )
    transport = await RabbitTransport.connect(url, watcher or Watcher(), options)
    try:
        yield transport
    finally:
        await transport.close()


@asynccontextmanager
async def open_channel(url: str, *, confirms: bool = False) -> AsyncGenerator[aiormq.Channel]:
    """Open a bare channel of the client library, for what foreign clients do."""
    connection = await aiormq.connect(url)
    try:
        channel = await connection.channel(publisher_confirms=confirms)
        assert isinstance(channel, aiormq.Channel)
        yield channel
    finally:
        await connection.close()


def broker_version(channel: aiormq.Channel) -> tuple[int, ...]:
    """Return the broker's version as numbers."""
    version = str(channel.connection.server_properties["version"])
    return tuple(int(part) for part in version.split(".")[:3])


async def read_to_end(transport: RabbitTransport, mailbox: str = "box") -> list[Delivery]:
    """Publish an end behind everything else; return what is delivered before it."""
    inbox = Inbox(acks=True)
    consumer = await transport.consume(mailbox, inbox, prefetch=1_000)
    await transport.publish(TO_MAILBOX, message(END))
    while END not in inbox.bodies:
        await inbox.wait_for(len(inbox.deliveries) + 1)
    await consumer.close()
    return inbox.deliveries[: inbox.bodies.index(END)]


def first_copies(deliveries: list[Delivery]) -> list[int]:
    """Return the numbers in *deliveries*, each at its first place."""
    return list(dict.fromkeys(int(delivery.message.body) for delivery in deliveries))
