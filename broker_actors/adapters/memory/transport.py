"""The broker port inside one process, onto a `MemoryBroker`.

It suspends where a real connection would: before the broker hears of something, and
before the caller hears back. Between the two, what is under way keeps its order,
whatever order the event loop takes its tasks in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from broker_actors.adapters.memory.broker import MemoryBroker
from broker_actors.adapters.memory.checks import check
from broker_actors.adapters.memory.consumer import CLOSED_HERE, MemoryConsumer
from broker_actors.core.errors import BrokerUnavailableError, PlatformError
from broker_actors.core.topology import Declaration, Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import Depth, OnDelivery

__all__ = ["MemoryBroker", "MemoryTransport"]


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
        (error,) = await self.publish_all([(route, message)])
        if error is not None:
            raise error

    async def publish_all(
        self, messages: Sequence[tuple[Route, WireMessage]]
    ) -> Sequence[PlatformError | None]:
        """Return when the broker has *messages*, and what became of each; see the port."""
        publications = [self._publication(route, message) for route, message in messages]
        going = [one for one in publications if not one.arrived]
        self._line.extend(going)
        try:
            await self._broker.clock.sleep(0)
        except BaseException:
            for one in going:
                if not one.arrived:
                    self._line.remove(one)
            raise
        # Everything called before goes first, even if its own task has not been woken yet.
        while going and not going[-1].arrived:
            self._arrive(self._line.popleft())
        await self._broker.clock.sleep(0)
        return [one.error for one in publications]

    async def consume(self, mailbox: str, on_delivery: OnDelivery, *, prefetch: int) -> MemoryConsumer:
        """Start to receive from *mailbox*; see the port."""
        self._check_open()
        await self._broker.clock.sleep(0)
        consumer = MemoryConsumer(self._broker, self._broker.queue(mailbox), on_delivery, prefetch)
        self._consumers = {kept: None for kept in self._consumers if not kept.ended} | {consumer: None}
        return consumer

    async def depth(self, mailbox: str) -> Depth:
        """Return how *mailbox* stands; see the port."""
        self._check_open()
        await self._broker.clock.sleep(0)
        depth = self._broker.queue(mailbox).depth
        await self._broker.clock.sleep(0)
        return depth

    async def close(self) -> None:
        """Close every consumer and the connection. Idempotent."""
        self._open = False
        for consumer in tuple(self._consumers):
            consumer.close_now()
        while self._line:
            publication = self._line.popleft()
            publication.arrived, publication.error = True, BrokerUnavailableError(CLOSED_HERE)
        await self._broker.disconnect(self)

    def lose_connection(self, why: str = "connection lost") -> None:
        """End every consumer as the death of this process, or of its connection, would."""
        for consumer in tuple(self._consumers):
            consumer.lose(why)

    def _publication(self, route: Route, message: WireMessage) -> _Publication:
        """Return *message*, ready to go; or ended already, when it cannot."""
        publication = _Publication(route, message)
        try:
            self._check_open()
            check(message)
        except PlatformError as error:
            publication.arrived, publication.error = True, error
        return publication

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
