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
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import aiormq
from aiormq.exceptions import ChannelClosed, ConnectionFrameError

from broker_actors.adapters.deadlines import Deadlines
from broker_actors.adapters.rabbitmq.batch import Batch
from broker_actors.adapters.rabbitmq.channels import (
    close_channel,
    closing_of,
    reason_of,
)
from broker_actors.adapters.rabbitmq.connection import Connection, passages_of
from broker_actors.adapters.rabbitmq.direct.sender import DirectSender
from broker_actors.adapters.rabbitmq.line import Line
from broker_actors.adapters.rabbitmq.message_ids import message_ids
from broker_actors.adapters.rabbitmq.options import LINE_MAX, RabbitOptions
from broker_actors.adapters.rabbitmq.publication import Publication
from broker_actors.adapters.rabbitmq.sender import Sender
from broker_actors.core.errors import BrokerUnavailableError, PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.observer import Observer

#: A confirm that is missing for this many publish timeouts will not come: the channel is replaced.
_STUCK_TIMEOUTS: Final = 3
#: Ends that one of the publications on the way has caused.
_POISONED: Final = (ChannelClosed, ConnectionFrameError)


class Publisher:
    """Owns the publishing channel of *connection*."""

    def __init__(self, connection: Connection, options: RabbitOptions, observer: Observer) -> None:
        self._connection = connection
        self._timeout_seconds = options.publish_timeout_seconds
        self._in_flight_max = options.in_flight_max
        self._observer = observer
        self._line = Line(options.in_flight_max)
        self._deadlines = Deadlines(options.publish_timeout_seconds)
        self._sender: Sender | DirectSender | None = None
        self._will_pump = False
        self._message_ids = message_ids(uuid4().hex)
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
        publication = Publication(route, message, asyncio.get_running_loop().create_future())
        self._enter([publication])
        self._deadlines.watch(publication.done)
        try:
            await publication.done
        except TimeoutError:
            raise BrokerUnavailableError(await self._why_late(publication)) from None
        finally:
            self._line.leave(publication)

    async def publish_all(
        self, messages: Sequence[tuple[Route, WireMessage]]
    ) -> Sequence[PlatformError | None]:
        """Return when the broker has answered *messages*, and what; see `ports.transport`."""
        batch = Batch(messages)
        try:
            self._enter(batch.publications)
            # As many as may be on the way together have the timeout of one.
            windows = 1 + len(messages) // self._in_flight_max
            late = await batch.settled(windows * self._timeout_seconds)
            if late is not None:
                batch.give_up(BrokerUnavailableError(await self._why_late(late)))
        except BrokerUnavailableError as error:
            batch.give_up(error)
        finally:
            # Also when the caller was cancelled: then nobody asks for the answers.
            batch.give_up(BrokerUnavailableError("nobody waits for it any more"))
            for publication in batch.publications:
                self._line.leave(publication)
            answers = batch.answers()
        return answers

    async def close(self) -> None:
        """Stop. What is not confirmed yet fails with BrokerUnavailableError. Idempotent."""
        keeper, self._keeper = self._keeper, None
        self._why_closed = "closed by this side"
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait((keeper,))
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.stop()
        self._fail_all()
        # Not before: until here somebody may wait, and no longer than its time.
        self._deadlines.close()

    def _enter(self, publications: Sequence[Publication]) -> None:
        """Put *publications* at the end of the line, to be sent at the end of this loop pass."""
        if self._keeper is None:
            raise BrokerUnavailableError(f"{self._connection.server}: {self._why_closed}")
        if self._line.waiting + len(publications) > LINE_MAX:
            raise BrokerUnavailableError(f"{self._line.waiting} publications already wait for the broker")
        for publication in publications:
            self._line.enter(publication)
        if not self._will_pump:
            self._will_pump = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._will_pump = False
        if self._sender is not None:
            self._sender.pump()

    async def _keep(self) -> None:
        while True:
            channel = await self._connection.channel(confirms=True)
            sender = self._sender = self._sender_on(channel)
            sender.pump()
            reason = await self._until_lost(channel)
            self._sender = None
            await sender.stop()
            culprit = self._line.restore(poisoned=isinstance(reason, _POISONED))
            if culprit is not None:
                culprit.fail(culprit.blame(reason))

    def _sender_on(self, channel: aiormq.Channel) -> Sender | DirectSender:
        passages = passages_of(channel)
        if passages is None:
            return Sender(channel, self._line, self._message_ids)
        return DirectSender(channel, passages, self._line, self._message_ids)

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
