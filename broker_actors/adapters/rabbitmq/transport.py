"""The broker port on RabbitMQ.

Publishing and consuming use a connection each: a broker short of memory or disk stops
reading from connections that publish, and acknowledgements on the same one would stop too,
so that a full broker could not even be emptied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from broker_actors.adapters.rabbitmq import topology
from broker_actors.adapters.rabbitmq.channels import LostError
from broker_actors.adapters.rabbitmq.connection import Connection
from broker_actors.adapters.rabbitmq.consumer import RabbitConsumer, consume
from broker_actors.adapters.rabbitmq.depth import Depths
from broker_actors.adapters.rabbitmq.options import RabbitOptions
from broker_actors.adapters.rabbitmq.patience import while_it_delivers
from broker_actors.adapters.rabbitmq.publisher import Publisher
from broker_actors.core.errors import BrokerUnavailableError, PlatformError
from broker_actors.core.topology import Declaration, Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.observer import Observer
from broker_actors.ports.transport import Consumer, Delivery, Depth, OnDelivery

__all__ = ["RabbitOptions", "RabbitTransport"]


class RabbitTransport:
    """Implements `ports.transport.Transport`. Made by `connect`."""

    def __init__(self, url: str, observer: Observer, options: RabbitOptions) -> None:
        self._options = options
        name, heartbeat_seconds = options.name, options.heartbeat_seconds
        self._publishing = Connection(url, f"{name} publishing", heartbeat_seconds, observer)
        self._consuming = Connection(url, f"{name} consuming", heartbeat_seconds, observer)
        self._publisher = Publisher(self._publishing, options, observer)
        self._consumers: dict[RabbitConsumer, None] = {}
        self._delivered = 0
        # The other connection is not read while the broker is short of memory or disk: just when one asks.
        self._depths = Depths(self._consuming, options.connect_timeout_seconds)

    @classmethod
    async def connect(
        cls, url: str, observer: Observer, options: RabbitOptions | None = None
    ) -> RabbitTransport:
        """Return a transport that can publish; what consumes is opened with the first consumer.

        Raises:
            ConfigurationError: the URL is not one of AMQP, or the broker refuses its user or virtual host.
            BrokerUnavailableError: no connection within `connect_timeout_seconds`.

        """
        transport = cls(url, observer, options or RabbitOptions())
        transport._publishing.start()
        transport._publisher.start()
        try:
            await transport._opened()
        except BaseException:
            await transport.close()
            raise
        return transport

    async def declare(self, declarations: Iterable[Declaration]) -> None:
        """Make sure that *declarations* exist; see the port."""
        await topology.declare(self._publishing, declarations, self._options.declare_timeout_seconds)

    async def publish(self, route: Route, message: WireMessage) -> None:
        """Return when the broker has confirmed *message*; see the port."""
        await self._publisher.publish(route, message)

    async def publish_all(
        self, messages: Sequence[tuple[Route, WireMessage]]
    ) -> Sequence[PlatformError | None]:
        """Return when the broker has answered all *messages*, and what; see the port."""
        return await self._publisher.publish_all(messages)

    async def consume(self, mailbox: str, on_delivery: OnDelivery, *, prefetch: int) -> Consumer:
        """Start to receive from *mailbox*; see the port. Deliveries may arrive before this returns."""
        self._consuming.start()
        timeout_seconds = self._options.connect_timeout_seconds

        def receive(delivery: Delivery) -> None:
            self._delivered += 1
            on_delivery(delivery)

        opening = self._consume(mailbox, receive, prefetch)
        try:
            consumer = await while_it_delivers(opening, lambda: self._delivered, timeout_seconds)
        except TimeoutError:
            why = self._consuming.why_down or "the broker did not answer"
            text = f"{self._consuming.server}: {mailbox} not consumed within {timeout_seconds} s: {why}"
            raise BrokerUnavailableError(text) from None
        self._consumers = {kept: None for kept in self._consumers if not kept.ended} | {consumer: None}
        return consumer

    async def depth(self, mailbox: str) -> Depth:
        """Return how *mailbox* stands; see the port."""
        return await self._depths.ask(mailbox)

    async def close(self) -> None:
        """Close every consumer, fail what is not confirmed and close the connections. Idempotent."""
        # Each part also when the one before was cancelled.
        try:
            await asyncio.gather(*(consumer.close() for consumer in self._consumers))
        finally:
            try:
                await self._publisher.close()
            finally:
                await asyncio.gather(self._publishing.close(), self._consuming.close())

    async def _opened(self) -> None:
        timeout_seconds = self._options.connect_timeout_seconds
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._publishing.admitted()
        except TimeoutError:
            text = f"{self._publishing.server}: no connection within {timeout_seconds} s"
            raise BrokerUnavailableError(f"{text}: {self._publishing.why_down}") from None

    async def _consume(self, mailbox: str, on_delivery: OnDelivery, prefetch: int) -> RabbitConsumer:
        while True:
            try:
                return await consume(self._consuming, mailbox, on_delivery, prefetch)
            except LostError:
                # The connection is being opened again; the deadline is around this.
                continue
