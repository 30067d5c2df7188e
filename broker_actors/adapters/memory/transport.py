"""The broker port inside one process, onto a `MemoryBroker`.

It suspends where a real connection would: before the broker hears of something, and
before the caller hears back. Between the two, what is under way keeps its order,
whatever order the event loop takes its tasks in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextvars import copy_context

from broker_actors.adapters.memory.broker import MemoryBroker
from broker_actors.adapters.memory.queue import Entry, MemoryQueue, Subscription
from broker_actors.core.errors import BrokerUnavailableError, PlatformError
from broker_actors.core.topology import Declaration, Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import OnDelivery

__all__ = ["MemoryBroker", "MemoryTransport"]

_CLOSED_HERE = "closed by this side"


class MemoryDelivery:
    """Implements `ports.transport.Delivery`."""

    __slots__ = ("_consumer", "_tag", "mailbox", "message", "redelivered")

    def __init__(self, tag: int, entry: Entry, mailbox: str, consumer: MemoryConsumer) -> None:
        self.message = entry.message
        self.redelivered = entry.redelivered
        self.mailbox = mailbox
        self._tag = tag
        self._consumer = consumer

    def ack(self) -> None:
        """Let the broker forget the message, soon; nothing once the consumer is closed."""
        self._consumer.acknowledge(self._tag)


class MemoryConsumer:
    """Implements `ports.transport.Consumer`."""

    def __init__(
        self, broker: MemoryBroker, queue: MemoryQueue, on_delivery: OnDelivery, prefetch: int
    ) -> None:
        self._broker = broker
        self._queue = queue
        self._on_delivery = on_delivery
        self._loop = asyncio.get_running_loop()
        self._why: asyncio.Future[str] = self._loop.create_future()
        self._arrived: deque[MemoryDelivery] = deque()
        self._acknowledged: list[int] = []
        # Steps of this consumer belong to the node that opened it, not to whoever publishes.
        self._context = copy_context()
        self._subscription = Subscription(prefetch, self._take, self.end)
        queue.subscribe(self._subscription)

    @property
    def ended(self) -> bool:
        """Whether `closed` returns at once."""
        return self._why.done()

    async def closed(self) -> str:
        """Return why it ended, when it has."""
        return await asyncio.shield(self._why)

    async def close(self) -> None:
        """Send the acks given before and end it; what is unacknowledged returns to the head. Idempotent."""
        if not self.ended:
            self._flush()
            self.end(_CLOSED_HERE)
            self._broker.unsubscribe(self._queue, self._subscription)
        await self._broker.clock.sleep(0)

    def lose(self, why: str) -> None:
        """End it as the loss of its connection would: acks on their way are lost."""
        self.end(why)
        self._broker.unsubscribe(self._queue, self._subscription)

    def end(self, why: str) -> None:
        """Resolve `closed` and hand out nothing more."""
        if not self._why.done():
            self._why.set_result(why)

    def acknowledge(self, tag: int) -> None:
        """Send the ack with the others of this loop pass."""
        if self.ended:
            return
        if not self._acknowledged:
            self._loop.call_soon(self._flush, context=self._context)
        self._acknowledged.append(tag)

    def _flush(self) -> None:
        tags, self._acknowledged = self._acknowledged, []
        if not self.ended:
            self._broker.settle(self._queue, self._subscription, tags)

    def _take(self, tag: int, entry: Entry) -> None:
        if not self._arrived:
            self._loop.call_soon(self._hand_on, context=self._context)
        self._arrived.append(MemoryDelivery(tag, entry, self._queue.name, self))

    def _hand_on(self) -> None:
        """Call the receiver for everything that has arrived, in order."""
        arrived, self._arrived = self._arrived, deque()
        for delivery in arrived:
            if self.ended:
                return
            self._on_delivery(delivery)


class _Publication:
    """A message on its way to the broker, and what became of it."""

    __slots__ = ("arrived", "error", "message", "route")

    def __init__(self, route: Route, message: WireMessage) -> None:
        self.route = route
        self.message = message
        self.arrived = False
        self.error: PlatformError | None = None


class MemoryTransport:
    """Implements `ports.transport.Transport`: one connection to *broker*."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._line: deque[_Publication] = deque()
        self._consumers: dict[MemoryConsumer, None] = {}
        self._open = True

    async def declare(self, declarations: Iterable[Declaration]) -> None:
        """Make sure that *declarations* exist; see the port."""
        self._check_open()
        await self._broker.clock.sleep(0)
        for declaration in declarations:
            self._broker.declare(declaration)
        await self._broker.clock.sleep(0)

    async def publish(self, route: Route, message: WireMessage) -> None:
        """Return when the broker has *message*; see the port."""
        self._check_open()
        publication = _Publication(route, message)
        self._line.append(publication)
        try:
            await self._broker.clock.sleep(0)
        except BaseException:
            if not publication.arrived:
                self._line.remove(publication)
            raise
        # Everything called before goes first, even if its own task has not been woken yet.
        while not publication.arrived:
            self._arrive(self._line.popleft())
        await self._broker.clock.sleep(0)
        if publication.error is not None:
            raise publication.error

    async def consume(self, mailbox: str, on_delivery: OnDelivery, *, prefetch: int) -> MemoryConsumer:
        """Start to receive from *mailbox*; see the port."""
        self._check_open()
        await self._broker.clock.sleep(0)
        consumer = MemoryConsumer(self._broker, self._broker.queue(mailbox), on_delivery, prefetch)
        self._consumers = {kept: None for kept in self._consumers if not kept.ended} | {consumer: None}
        return consumer

    async def close(self) -> None:
        """Close every consumer and the connection. Idempotent."""
        self._open = False
        for consumer in tuple(self._consumers):
            await consumer.close()
        await self._broker.disconnect(self)

    def lose_connection(self, why: str = "connection lost") -> None:
        """End every consumer as the death of this process, or of its connection, would."""
        for consumer in tuple(self._consumers):
            consumer.lose(why)

    def _arrive(self, publication: _Publication) -> None:
        publication.arrived = True
        try:
            self._broker.publish(publication.route, publication.message)
        except PlatformError as error:
            publication.error = error

    def _check_open(self) -> None:
        if not self._open:
            raise BrokerUnavailableError("the connection was closed by this side")
        self._broker.connect(self)
