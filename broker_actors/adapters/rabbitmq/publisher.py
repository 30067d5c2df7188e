"""Publishing: mandatory, persistent, confirmed, in the order of the calls.

All publications pass one channel. They stand in line until the channel has room, and are
kept until they are confirmed: when the channel is lost, those without a confirm go back to
the front of the line in their old order and are sent again before anything new.

A publication that makes the broker end the channel (an exchange that does not exist, a body
above the broker's limit) takes everybody's channel with it, and the broker does not say
which it was. Those on the way are then repeated one at a time until it is found.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Final
from uuid import uuid4

import aiormq
from aiormq.exceptions import ChannelClosed, ChannelPreconditionFailed, ConnectionFrameError, DeliveryError

from broker_actors.adapters.rabbitmq.channels import (
    LostError,
    close_channel,
    closing_of,
    describe,
    lost_when_gone,
    reason_of,
)
from broker_actors.adapters.rabbitmq.connection import Connection
from broker_actors.adapters.rabbitmq.line import Line
from broker_actors.adapters.rabbitmq.options import LINE_MAX, RabbitOptions
from broker_actors.adapters.rabbitmq.publication import Publication
from broker_actors.core.errors import BrokerUnavailableError, PayloadTooLargeError, UnroutableError
from broker_actors.core.events import Trouble
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.observer import Observer

#: A confirm that is missing for this many publish timeouts will not come: the channel is replaced.
_STUCK_TIMEOUTS: Final = 3
#: Larger bodies wait for the socket, so that the window does not turn into a gigabyte of buffers.
_BUFFERED_BYTES_MAX: Final = 65_536
#: Ends that one of the publications on the way has caused.
_POISONED: Final = (ChannelClosed, ConnectionFrameError)


class Publisher:
    """Owns the publishing channel of *connection*."""

    def __init__(self, connection: Connection, options: RabbitOptions, observer: Observer) -> None:
        self._connection = connection
        self._timeout_seconds = options.publish_timeout_seconds
        self._observer = observer
        self._line = Line(options.in_flight_max)
        self._channel: aiormq.Channel | None = None
        self._sending: dict[asyncio.Task[bool], Publication] = {}
        # Unique per attempt: the library matches what the broker returns by the message id.
        self._incarnation = uuid4().hex
        self._attempts = count(1)
        self._keeper: asyncio.Task[None] | None = None
        self._why_closed = "not started"

    def start(self) -> None:
        """Begin to keep a channel open, until `close`."""
        self._keeper = asyncio.get_running_loop().create_task(
            self._keep(), name="keep the publishing channel"
        )
        self._keeper.add_done_callback(self._keeper_ended)

    async def publish(self, route: Route, message: WireMessage) -> None:
        """Return when the broker has confirmed *message*; see `ports.transport`.

        Raises:
            UnroutableError: no queue is bound there, or there is no such exchange.
            MailboxFullError: a queue refused it.
            BrokerUnavailableError: no confirm within the publish timeout.
            PayloadTooLargeError: larger than AMQP or the broker allows.
            UndecodableError: a header that AMQP cannot hold.

        """
        loop = asyncio.get_running_loop()
        publication = Publication(route, message, loop.create_future())
        if self._keeper is None:
            raise BrokerUnavailableError(f"{self._connection.server}: {self._why_closed}")
        if self._line.waiting >= LINE_MAX:
            raise BrokerUnavailableError(f"{LINE_MAX} publications already wait for the broker")
        self._line.enter(publication)
        self._pump()
        timer = loop.call_later(self._timeout_seconds, publication.fail, TimeoutError())
        try:
            await publication.done
        except TimeoutError:
            raise BrokerUnavailableError(await self._why_late(publication)) from None
        finally:
            timer.cancel()
            self._line.leave(publication)

    async def close(self) -> None:
        """Stop. What is not confirmed yet fails with BrokerUnavailableError. Idempotent."""
        keeper, self._keeper = self._keeper, None
        self._why_closed = "closed by this side"
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait((keeper,))
        await self._stop_sending()
        self._fail_all()

    def _pump(self) -> None:
        channel = self._channel
        if channel is None:
            return
        loop = asyncio.get_running_loop()
        while (publication := self._line.take()) is not None:
            publication.sent_seconds = loop.time()
            task = loop.create_task(self._send(channel, publication))
            self._sending[task] = publication
            task.add_done_callback(self._sent)

    async def _send(self, channel: aiormq.Channel, publication: Publication) -> bool:
        """Publish; return whether the broker has answered. The order of starts is the order of entry."""
        publication.properties.message_id = f"{self._incarnation}-{next(self._attempts)}"
        try:
            with lost_when_gone():
                await channel.basic_publish(
                    publication.body,
                    exchange=publication.exchange,
                    routing_key=publication.key,
                    properties=publication.properties,
                    mandatory=True,
                    wait=len(publication.body) > _BUFFERED_BYTES_MAX,
                )
        except LostError as error:
            refused = error.__cause__
            if not isinstance(refused, DeliveryError):
                return False
            publication.fail(publication.refusal(refused))
        else:
            publication.succeed()
        return True

    def _sent(self, task: asyncio.Task[bool]) -> None:
        publication = self._sending.pop(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            publication.fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        elif not task.result():
            return
        self._line.settle(publication)
        self._pump()

    async def _keep(self) -> None:
        while True:
            channel = self._channel = await self._connection.channel(confirms=True)
            self._pump()
            reason = await self._until_lost(channel)
            self._channel = None
            await self._stop_sending()
            culprit = self._line.restore(poisoned=isinstance(reason, _POISONED))
            if culprit is not None:
                culprit.fail(_blame(reason))

    async def _until_lost(self, channel: aiormq.Channel) -> BaseException | None:
        loop = asyncio.get_running_loop()
        closing = closing_of(channel)
        while not closing.done():
            await asyncio.wait((closing,), timeout=self._timeout_seconds)
            sent_seconds = self._line.first_sent_seconds()
            stuck_seconds = _STUCK_TIMEOUTS * self._timeout_seconds
            is_stuck = sent_seconds is not None and loop.time() - sent_seconds > stuck_seconds
            if is_stuck and not await self._connection.blocked():
                text = f"no confirm for {stuck_seconds} s; opening another channel"
                self._observer.observe(Trouble("publishing", text))
                await close_channel(channel)
        return reason_of(closing)

    async def _stop_sending(self) -> None:
        """Cancel what still stands in the library: on a dead connection it would wait for ever."""
        tasks = tuple(self._sending)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _why_late(self, publication: Publication) -> str:
        if not publication.sent_seconds:
            why = self._connection.why_down or "waiting for those before it"
        elif await self._connection.blocked():
            why = "the broker takes no messages because it is short of memory or disk"
        else:
            why = self._connection.why_down or "no confirm"
        return f"{self._connection.server}: not confirmed within {self._timeout_seconds} s: {why}"

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if keeper.cancelled() or keeper is not self._keeper:
            return
        # A fault of this module, or of the connection's keeper. Nobody may wait for what will not come.
        self._keeper = None
        self._why_closed = f"the keeper of the publishing channel failed: {keeper.exception()!r}"
        self._observer.observe(Trouble("publishing", self._why_closed))
        self._fail_all()

    def _fail_all(self) -> None:
        for publication in self._line.clear():
            publication.fail(BrokerUnavailableError(f"{self._connection.server}: {self._why_closed}"))


def _blame(reason: BaseException | None) -> Exception:
    if isinstance(reason, ChannelPreconditionFailed | ConnectionFrameError):
        return PayloadTooLargeError(f"the broker refused the message: {describe(reason)}")
    return UnroutableError(f"the broker refused the message: {describe(reason)}")
