"""Consuming: one mailbox, one channel, one consumer.

Invariant: the consumer is never cancelled by this side while it holds deliveries; closing
its channel returns them in order to the head of the queue, where cancelling would hand
later messages to the next consumer first.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import aiormq
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelClosed, ChannelNotFoundEntity
from pamqp.commands import Basic

from broker_actors.adapters.rabbitmq.channels import (
    Closing,
    LostError,
    close_channel,
    closing_of,
    describe,
    lost_when_gone,
    reason_of,
)
from broker_actors.adapters.rabbitmq.connection import Connection, passages_of
from broker_actors.adapters.rabbitmq.delivery import RabbitDelivery
from broker_actors.adapters.rabbitmq.direct.deliveries import Deliveries
from broker_actors.adapters.rabbitmq.options import CLOSE_SECONDS
from broker_actors.core.acks import AckWindow
from broker_actors.core.errors import BrokerUnavailableError, UnroutableError
from broker_actors.ports.transport import Delivery, OnDelivery

_CLOSED_HERE: Final = "closed by this side"
#: Acknowledgements are gathered for so long: sent at once, they would keep the broker and its disk busy just
#: when whoever was answered sends its next call.
GATHERED_SECONDS: Final = 0.002
#: A consumer that may hold fewer than this sends them with each loop pass: the next delivery may wait for it.
_GATHERED_PREFETCH_MIN: Final = 100
#: RabbitMQ passes this many acknowledgements of a channel on to a quorum queue before it waits for the queue;
#: later ones it keeps for itself, and forgets them when the channel is closed.
_PASSED_ON_MAX: Final = 32
#: Acknowledgements older than this have long reached the queue.
_PASSED_ON_SECONDS: Final = 1.0


class RabbitConsumer:
    """Implements `ports.transport.Consumer` on *channel*, which it owns."""

    def __init__(self, channel: aiormq.Channel, mailbox: str, on_delivery: OnDelivery, prefetch: int) -> None:
        self._channel = channel
        self._gathers = prefetch >= _GATHERED_PREFETCH_MIN
        self._mailbox = mailbox
        self._on_delivery = on_delivery
        self._window = AckWindow()
        loop = asyncio.get_running_loop()
        self._why: asyncio.Future[str] = loop.create_future()
        self._due = asyncio.Event()
        self._frames_lately = 0
        self._flushed_seconds = 0.0
        passages = passages_of(channel)
        #: What comes past the library; None if everything comes by it.
        self._direct = (
            None
            if passages is None
            else Deliveries(channel.number, passages, mailbox, self._receive, self._acked)
        )
        channel.on_consumer_cancel_callbacks.add(self._cancelled)
        closing_of(channel).add_done_callback(self._channel_ended)
        self._runner = loop.create_task(self._run(), name=f"acknowledge {mailbox}")
        self._runner.add_done_callback(self._runner_ended)

    @property
    def ended(self) -> bool:
        """Whether `closed` returns at once."""
        return self._why.done()

    async def closed(self) -> str:
        """Return why it ended, when it has."""
        return await asyncio.shield(self._why)

    async def close(self) -> None:
        """Send the acks given before and close the channel. Idempotent."""
        self._end(_CLOSED_HERE)
        # Not awaited itself: a cancelled caller must not stop it half way.
        await asyncio.wait((self._runner,))

    async def receive(self, delivered: DeliveredMessage) -> None:
        """Hand one delivery on. A coroutine because the library wants one; it never suspends."""
        self._receive(RabbitDelivery(delivered, self._mailbox, self._acked))

    def _receive(self, delivery: Delivery) -> None:
        if self._why.done():
            return
        try:
            self._on_delivery(delivery)
        except Exception as error:
            # Left alone, the message would stay here unseen until the broker's consumer timeout.
            self._end(f"the receiver failed: {error!r}")
            raise

    def _acked(self, tag: int) -> None:
        if not self._why.done():
            self._window.end(tag)
            self._due.set()

    async def _run(self) -> None:
        """Send what was acknowledged, a little later together; in the end close the channel."""
        while not self._why.done():
            await self._due.wait()
            if self._gathers:
                await asyncio.wait((self._why,), timeout=GATHERED_SECONDS)
            self._due.clear()
            await self._send()
        if self._why.result() == _CLOSED_HERE:
            # What was acknowledged while the last ones were sent; if it is lost, its messages come again.
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._send()
            if self._frames_lately > _PASSED_ON_MAX:
                await self._settle()
        await close_channel(self._channel)

    async def _send(self) -> None:
        try:
            with lost_when_gone():
                await self._flush()
        except LostError as error:
            # The reason of the end may come a moment later, and says more.
            await asyncio.wait((self._why,), timeout=CLOSE_SECONDS)
            self._end(str(error))

    async def _flush(self) -> None:
        plan = self._window.take()
        now_seconds = asyncio.get_running_loop().time()
        if now_seconds - self._flushed_seconds > _PASSED_ON_SECONDS:
            self._frames_lately = 0
        self._flushed_seconds = now_seconds
        self._frames_lately += len(plan.singles) + bool(plan.up_to)
        if self._direct is not None:
            self._direct.acknowledge(plan)
            return
        if plan.up_to:
            await self._channel.basic_ack(plan.up_to, multiple=True, wait=False)
        for tag in plan.singles:
            await self._channel.basic_ack(tag, wait=False)

    async def _settle(self) -> None:
        """Return when the queue has every acknowledgement.

        Another consumer on the same channel is registered by the queue after what it got
        before, and lets the broker pass on what it kept. It goes with the channel.
        """
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                with lost_when_gone():
                    # Where it is not a stand-by it will be handed something, so let that be little.
                    await self._channel.basic_qos(prefetch_count=1)
                    await self._channel.basic_consume(self._mailbox, self.receive)
        except (LostError, TimeoutError):
            # Those acknowledgements may be lost: their messages come again, as after a crash.
            return

    def _end(self, why: str) -> None:
        if not self._why.done():
            self._why.set_result(why)
        self._due.set()

    def _cancelled(self, frame: Basic.Cancel) -> None:
        self._end(
            f"the broker cancelled the consumer {frame.consumer_tag}: queue deleted or moved, or a timeout"
        )

    def _channel_ended(self, closing: Closing) -> None:
        self._end(f"the channel ended: {describe(reason_of(closing))}")

    def _runner_ended(self, runner: asyncio.Task[None]) -> None:
        if runner.cancelled():
            self._end("its task was cancelled")
        elif (error := runner.exception()) is not None:
            self._end(f"its task failed: {error!r}")


async def consume(
    connection: Connection, mailbox: str, on_delivery: OnDelivery, prefetch: int
) -> RabbitConsumer:
    """Open a consumer on a channel of its own. The caller sets the deadline.

    Raises:
        UnroutableError: there is no such queue.
        BrokerUnavailableError: the broker refuses it for another reason.
        LostError: the connection went away meanwhile.

    """
    channel = await connection.channel(confirms=False)
    consumer = RabbitConsumer(channel, mailbox, on_delivery, prefetch)
    try:
        await _start(channel, consumer, mailbox, prefetch)
    except BaseException:
        await consumer.close()
        raise
    return consumer


async def _start(channel: aiormq.Channel, consumer: RabbitConsumer, mailbox: str, prefetch: int) -> None:
    try:
        with lost_when_gone():
            await channel.basic_qos(prefetch_count=prefetch)
            # The library makes up a fresh tag each time; a reused one lost messages on old brokers.
            await channel.basic_consume(mailbox, consumer.receive)
    except LostError as error:
        match error.__cause__:
            case ChannelNotFoundEntity() if "no queue" in str(error):
                raise UnroutableError(f"there is no queue {mailbox}") from error
            case ChannelClosed():
                raise BrokerUnavailableError(
                    f"the broker refuses to let {mailbox} be consumed: {error}"
                ) from error
            case _:
                raise
