"""When publications leave, and how long their callers wait, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import aiormq
import pytest

from broker_actors.adapters.rabbitmq import publisher as module
from broker_actors.adapters.rabbitmq.connection import Connection
from broker_actors.adapters.rabbitmq.line import Line
from broker_actors.adapters.rabbitmq.options import RabbitOptions
from broker_actors.adapters.rabbitmq.publication import Publication
from broker_actors.adapters.rabbitmq.publisher import Publisher
from broker_actors.core.errors import BrokerUnavailableError
from broker_actors.core.events import Event
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage

ROUTE = Route("main", "box")


class Broker:
    """A connection whose channel opens when it is told to; what is sent there is noted."""

    server = "broker"
    why_down = ""

    def __init__(self) -> None:
        self.channels: asyncio.Queue[aiormq.Channel] = asyncio.Queue()
        #: What each pump has sent, one after the other.
        self.sent: list[list[Publication]] = []

    def open(self) -> None:
        """Let the channel open."""
        closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.channels.put_nowait(
            cast("aiormq.Channel", SimpleNamespace(connection=None, closing=closing, broker=self))
        )

    async def channel(self, *, confirms: bool) -> aiormq.Channel:
        """Return the channel."""
        assert confirms
        return await self.channels.get()

    async def blocked(self) -> bool:
        """Return that it takes messages."""
        return False

    def observe(self, event: Event) -> None:
        """Nothing may go wrong."""
        raise AssertionError(event)

    @property
    def bodies(self) -> list[list[bytes]]:
        """What each pump has sent."""
        return [[one.message.body for one in sent] for sent in self.sent]


class Noting:
    """A sender that notes what it takes."""

    def __init__(self, channel: aiormq.Channel, line: Line, _message_ids: Iterator[str]) -> None:
        self._line = line
        self._sent = cast("Broker", channel.broker).sent  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # ours

    def pump(self) -> None:
        """Take all there are. To the line they are answered: no channel is taken for a stuck one."""
        taken = list(iter(self._line.take, None))
        for one in taken:
            one.sent_seconds = asyncio.get_running_loop().time()
            self._line.settle(one)
        if taken:
            self._sent.append(taken)

    async def stop(self) -> None:
        """Do nothing."""


@pytest.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    monkeypatch.setattr(module, "Sender", Noting)
    return Broker()


def publisher_on(broker: Broker, timeout_seconds: float = 3_600.0) -> Publisher:
    publisher = Publisher(
        cast("Connection", broker), RabbitOptions(publish_timeout_seconds=timeout_seconds), broker
    )
    publisher.start()
    return publisher


def publishing(publisher: Publisher, body: str) -> asyncio.Task[None]:
    return asyncio.create_task(publisher.publish(ROUTE, WireMessage(body=body.encode())))


async def let_pass() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_is_published_in_one_loop_pass_is_sent_together_and_in_order(broker: Broker) -> None:
    publisher = publisher_on(broker)
    broker.open()
    await let_pass()
    calls = [publishing(publisher, str(n)) for n in range(5)]
    await let_pass()
    assert broker.bodies == [[b"0", b"1", b"2", b"3", b"4"]]
    later = publishing(publisher, "later")
    await let_pass()
    assert broker.bodies[1:] == [[b"later"]]
    for one in (one for sent in broker.sent for one in sent):
        one.succeed()
    await asyncio.gather(*calls, later)
    await publisher.close()


async def test_each_caller_waits_for_its_confirm_no_longer_than_it_may(broker: Broker) -> None:
    publisher = publisher_on(broker, timeout_seconds=0.01)
    calls = [publishing(publisher, "never sent") for _ in range(3)]
    for call in calls:
        with pytest.raises(BrokerUnavailableError, match=r"not confirmed within 0.01 s: waiting for those"):
            await call
    # Nobody waits for them: they are not sent when there is a channel.
    broker.open()
    await let_pass()
    assert broker.sent == []
    unanswered = publishing(publisher, "sent")
    with pytest.raises(BrokerUnavailableError, match="no confirm"):
        await unanswered
    assert broker.bodies == [[b"sent"]]
    await publisher.close()
