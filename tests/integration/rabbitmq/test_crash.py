"""The broker dies, stops or freezes under load."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from broker_actors.adapters.rabbitmq.transport import RabbitOptions, RabbitTransport
from broker_actors.core.errors import BrokerUnavailableError
from broker_actors.core.events import Connected, ConnectionLost
from tests.conformance.transport.brokers import (
    HANG_SECONDS,
    TO_MAILBOX,
    Inbox,
    bodies,
    declare_mailbox,
    message,
    publish_all,
)
from tests.integration.rabbitmq.support import Watcher, first_copies, open_transport, read_to_end
from tests.servers import RabbitServer

IN_FLIGHT = 500


class Stream:
    """Keeps so many publishes in flight, numbered in the order of their calls, until told to stop."""

    def __init__(self, transport: RabbitTransport) -> None:
        self._transport = transport
        self._numbers = count()
        self._confirmed_so_far = asyncio.Event()
        self.goes_on = True
        self.confirmed: list[int] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._publish())

    async def confirmed_more(self) -> None:
        """Return when so many more are confirmed as are in flight."""
        target = len(self.confirmed) + IN_FLIGHT
        while len(self.confirmed) < target:
            self._confirmed_so_far.clear()
            await self._confirmed_so_far.wait()

    async def _publish(self) -> None:
        while self.goes_on:
            number = next(self._numbers)
            await self._transport.publish(TO_MAILBOX, message(number))
            self.confirmed.append(number)
            self._confirmed_so_far.set()


@pytest.mark.parametrize("way", ["kill", pytest.param("stop", marks=pytest.mark.verify)])
async def test_publishes_in_flight_survive_the_broker(rabbit_server: RabbitServer, way: str) -> None:
    url, watcher = await asyncio.to_thread(rabbit_server.vhosts.create), Watcher()
    async with asyncio.timeout(HANG_SECONDS), open_transport(url, watcher) as transport:
        await declare_mailbox(transport)
        stream = Stream(transport)
        streaming = asyncio.create_task(stream.run())
        await stream.confirmed_more()
        await asyncio.to_thread(rabbit_server.kill if way == "kill" else rabbit_server.stop)
        await watcher.wait_for(ConnectionLost)
        await asyncio.to_thread(rabbit_server.restart)
        await stream.confirmed_more()
        stream.goes_on = False
        await streaming
        arrived = first_copies(await read_to_end(transport))
    assert arrived == sorted(arrived), "first copies keep the order of the calls"
    assert set(stream.confirmed) <= set(arrived), "what was confirmed is there"
    assert len(stream.confirmed) == len(set(stream.confirmed)) >= 2 * IN_FLIGHT


async def test_without_a_broker_everything_ends_by_its_deadline(rabbit_server: RabbitServer) -> None:
    url = await asyncio.to_thread(rabbit_server.vhosts.create)
    async with open_transport(url, timeout_seconds=1.0) as transport:
        await declare_mailbox(transport)
        await transport.consume("box", Inbox(), prefetch=5)
        await asyncio.to_thread(rabbit_server.kill)
        async with asyncio.timeout(HANG_SECONDS):
            ended = await asyncio.gather(
                *(transport.publish(TO_MAILBOX, message(n)) for n in range(IN_FLIGHT)), return_exceptions=True
            )
            assert {type(error) for error in ended} == {BrokerUnavailableError}
            with pytest.raises(BrokerUnavailableError, match="box"):
                await transport.consume("box", Inbox(), prefetch=1)
            with pytest.raises(BrokerUnavailableError, match="no connection within"):
                await RabbitTransport.connect(url, Watcher(), RabbitOptions(connect_timeout_seconds=0.5))
            publishing = asyncio.create_task(transport.publish(TO_MAILBOX, message("lost")))
            await asyncio.sleep(0)
            await transport.close()
            with pytest.raises(BrokerUnavailableError, match="closed by this side"):
                await publishing
    await asyncio.to_thread(rabbit_server.restart)
    async with open_transport(url) as transport:
        # Killed a moment after the binding was made, the broker may have lost it: who connects declares.
        await declare_mailbox(transport)
        # None of the failed ones comes back to life: their callers have been told.
        assert await read_to_end(transport) == []


async def test_a_frozen_broker_costs_the_deadline_and_no_more(rabbit_server: RabbitServer) -> None:
    url = await asyncio.to_thread(rabbit_server.vhosts.create)
    async with open_transport(url, timeout_seconds=1.0) as transport:
        await declare_mailbox(transport)
        await asyncio.to_thread(rabbit_server.freeze)
        async with asyncio.timeout(HANG_SECONDS):
            ended = await asyncio.gather(
                *(transport.publish(TO_MAILBOX, message(n)) for n in range(IN_FLIGHT)), return_exceptions=True
            )
        assert {type(error) for error in ended} == {BrokerUnavailableError}
        await asyncio.to_thread(rabbit_server.thaw)
        async with asyncio.timeout(HANG_SECONDS):
            while (await asyncio.gather(transport.publish(TO_MAILBOX, message(-1)), return_exceptions=True))[
                0
            ]:
                pass
        arrived = first_copies(await read_to_end(transport))
        assert arrived == sorted(arrived, key=lambda n: n if n >= 0 else IN_FLIGHT)


@pytest.mark.verify
async def test_consumers_report_the_loss_and_can_be_opened_again(rabbit_server: RabbitServer) -> None:
    url, watcher = await asyncio.to_thread(rabbit_server.vhosts.create), Watcher()
    async with asyncio.timeout(HANG_SECONDS), open_transport(url, watcher) as transport:
        await declare_mailbox(transport)
        await publish_all(transport, range(10))
        inbox = Inbox()
        consumer = await transport.consume("box", inbox, prefetch=5)
        await inbox.wait_for(5)
        await asyncio.to_thread(rabbit_server.kill)
        reason = await consumer.closed()
        assert reason
        inbox.deliveries[0].ack()
        opening = asyncio.create_task(transport.consume("box", again := Inbox(acks=True), prefetch=10))
        await asyncio.to_thread(rabbit_server.restart)
        await opening
        await again.wait_for(10)
        await consumer.close()
        assert again.bodies == bodies(range(10))
        assert len(watcher.of(ConnectionLost)) == 2
        await watcher.wait_for(Connected, 4)
