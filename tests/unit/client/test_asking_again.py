"""What is sent again when the reply channel is lost, and what is not."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from broker_actors.client.asking_again import AskingAgain
from broker_actors.client.pending import Pending
from broker_actors.client.room import Room
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import BrokerUnavailableError, MailboxFullError
from broker_actors.core.events import Trouble
from broker_actors.core.reply import Reply
from broker_actors.core.topology import Layout, Route
from broker_actors.core.wire import WireMessage
from broker_actors.dispatch import Dispatch
from broker_actors.testing.clock import PromptClock
from tests.acceptance.watching import Watcher

HANG_SECONDS = 20.0


class Broker:
    """A dispatch that takes everything, or is away."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.is_away = False
        #: So often it refuses for want of room.
        self.full = 0
        self.came = asyncio.Event()
        self.may_go = asyncio.Event()
        self.may_go.set()

    def known(self, actor_type: str) -> Layout | None:
        return Layout(actor_type, 1, 1) if actor_type == "Thing" else None

    async def publish(self, _: Route, message: WireMessage) -> None:
        self.came.set()
        await self.may_go.wait()
        if self.full:
            self.full -= 1
            raise MailboxFullError("it is full")
        if self.is_away:
            raise BrokerUnavailableError("it is away")
        self.taken.append(message.correlation_id)


class Asking:
    """Asks of one client under way, and a way to lose its channel."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.watcher = Watcher()
        self.clock = PromptClock()
        self.pending = Pending(self.watcher)
        self.again = AskingAgain(self.pending, Room(cast("Dispatch", self.broker), self.clock), self.watcher)

    def ask(self, correlation_id: str, actor_type: str = "Thing") -> asyncio.Future[Reply]:
        return self.pending.add(
            Envelope(
                Address(actor_type, "t1"),
                "do",
                b"",
                deadline_ms=self.clock.now_ms() + 60_000,
                reply_to="here",
                correlation_id=correlation_id,
            )
        )

    async def settle(self) -> None:
        """Return once nothing is on its way."""
        async with asyncio.timeout(HANG_SECONDS):
            while self.again.sending:
                await asyncio.wait(self.again.sending)


@pytest.fixture
async def asking() -> Asking:
    return Asking()


async def test_an_ask_the_broker_has_is_asked_again_with_each_loss(asking: Asking) -> None:
    asking.ask("1")
    asking.again.sent("1")
    for _ in range(2):
        asking.again.lost()
        await asking.settle()
    assert asking.broker.taken == ["1", "1"]


async def test_an_ask_the_broker_has_waits_for_room_to_be_asked_again(asking: Asking) -> None:
    asking.broker.full = 5
    asking.ask("1")
    asking.again.sent("1")
    asking.again.lost()
    await asking.settle()
    assert asking.broker.taken == ["1"]


async def test_an_ask_that_is_being_sent_is_asked_again_once_the_broker_has_it(asking: Asking) -> None:
    asking.ask("1")
    asking.again.lost()
    assert not asking.again.sending
    asking.again.sent("1")
    await asking.settle()
    assert asking.broker.taken == ["1"]


async def test_an_ask_with_an_answer_or_of_an_unknown_type_is_not_asked_again(asking: Asking) -> None:
    asking.ask("1").set_result(Reply(b""))
    asking.ask("2", "Unknown")
    asking.again.lost()
    for correlation_id in ("1", "2", "nobody's"):
        asking.again.sent(correlation_id)
    asking.again.lost()
    assert not asking.again.sending


async def test_nothing_is_sent_for_an_ask_that_has_ended(asking: Asking) -> None:
    asking.broker.may_go.clear()
    asking.ask("1")
    asking.again.sent("1")
    asking.again.lost()
    await asyncio.wait_for(asking.broker.came.wait(), HANG_SECONDS)
    asking.again.end("1")
    asking.broker.may_go.set()
    await asking.settle()
    assert asking.broker.taken == []


async def test_an_ask_that_cannot_be_asked_again_waits_on_for_its_reply(asking: Asking) -> None:
    asking.broker.is_away = True
    answer = asking.ask("1")
    asking.again.sent("1")
    asking.again.lost()
    await asking.settle()
    (trouble,) = asking.watcher.of(Trouble)
    assert trouble == Trouble("asking Thing/t1.do again: its reply channel was lost", "it is away")
    assert not answer.done()
