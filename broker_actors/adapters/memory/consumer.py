"""Deliveries and consumers of the in-process broker, as one connection sees them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from typing import Final

from broker_actors.adapters.memory.broker import MemoryBroker
from broker_actors.adapters.memory.queue import Entry, MemoryQueue, Subscription
from broker_actors.ports.transport import OnDelivery

CLOSED_HERE: Final = "closed by this side"


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
        self.close_now()
        await self._broker.clock.sleep(0)

    def close_now(self) -> None:
        """Do what `close` does, without waiting."""
        if not self.ended:
            self._flush()
            self.end(CLOSED_HERE)
            self._broker.unsubscribe(self._queue, self._subscription)

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
