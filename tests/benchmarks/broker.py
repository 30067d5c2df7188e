"""What the measuring side does to the broker between measurements: declare, fill, empty, check."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import aiormq
from aiormq import Channel
from aiormq.abc import AbstractConnection
from pamqp.common import FieldTable

from broker_actors.adapters.rabbitmq.transport import RabbitTransport
from broker_actors.core import topology
from broker_actors.core.topology import Binding, Declaration, Exchange, Layout, Queue, Route
from broker_actors.core.wire import WireMessage
from tests.benchmarks.job import Job, Messages
from tests.benchmarks.measuring import pump
from tests.benchmarks.ours import Quiet
from tests.benchmarks.raw_aiormq import channel_of


class Broker:
    """The measured broker, as an async context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: AbstractConnection | None = None
        self._channel: Channel | None = None

    async def __aenter__(self) -> Self:
        """Connect."""
        self._connection = await aiormq.connect(self._url)
        self._channel = await channel_of(self._connection)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Disconnect."""
        if self._connection is not None:
            await self._connection.close()

    @property
    def versions(self) -> dict[str, str]:
        """What the broker says it is."""
        assert self._connection is not None
        properties = self._connection.server_properties
        return {
            "RabbitMQ": str(properties["version"]),
            "Erlang": str(properties["platform"]).removeprefix("Erlang/OTP "),
        }

    async def declare(self, layout: Layout) -> None:
        """Declare the queues of *layout*, exactly as the platform does: all sides use the same ones."""
        await self._declare(topology.common())
        await self._declare(topology.of(layout))

    async def empty(self, job: Job) -> None:
        """Purge the queues of *job*."""
        for name in job.mailboxes:
            await self._open.queue_purge(name)

    async def delete(self, *names: str) -> None:
        """Delete queues, whether they are there or not."""
        for name in names:
            await self._open.queue_delete(name)

    async def fill(self, job: Job) -> None:
        """Leave the messages of *job*, and nothing else, in its queues; all are confirmed on return.

        They are written by the platform's own publisher, as those of its users are: the order of headers
        is its own, too.
        """
        await self.empty(job)
        messages, seconds = Messages(job), int(time.time())
        transport = await RabbitTransport.connect(self._url, Quiet())

        async def send(n: int) -> None:
            message = WireMessage(
                messages.headers(n),
                messages.body(n),
                messages.content_type,
                messages.type,
                timestamp_seconds=seconds,
            )
            await transport.publish(Route(topology.ACTORS, messages.key(n)), message)

        try:
            await pump(job.messages, job.in_flight, send)
        finally:
            await transport.close()

    async def waiting(self, job: Job) -> int:
        """Return how many messages wait in the queues of *job*."""
        counts = [await self._open.queue_declare(name, passive=True) for name in job.mailboxes]
        return sum(count.message_count or 0 for count in counts)

    async def _declare(self, declarations: Iterable[Declaration]) -> None:
        channel = self._open
        for each in declarations:
            match each:
                case Exchange(name, kind, alternate):
                    more: FieldTable = {"alternate-exchange": alternate} if alternate else {}
                    await channel.exchange_declare(name, exchange_type=kind, durable=True, arguments=more)
                case Queue(name, arguments):
                    await channel.queue_declare(name, durable=True, arguments=dict(arguments))
                case Binding(source, target, key, to_exchange=True):
                    await channel.exchange_bind(target, source, key)
                case Binding(source, target, key):
                    await channel.queue_bind(target, source, key)

    @property
    def _open(self) -> Channel:
        assert self._channel is not None
        return self._channel
