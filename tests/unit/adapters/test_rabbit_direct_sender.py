"""Which publication a broker's answer belongs to, and when publications wait."""

from __future__ import annotations

import asyncio
from itertools import count
from types import SimpleNamespace
from typing import cast

import aiormq
import pamqp.frame
import pytest
from pamqp.base import Frame
from pamqp.commands import Basic, Channel
from pamqp.header import ContentHeader

from broker_actors.adapters.rabbitmq.direct import sender as module
from broker_actors.adapters.rabbitmq.direct.passages import Passages
from broker_actors.adapters.rabbitmq.direct.reader import PeelingReader
from broker_actors.adapters.rabbitmq.direct.sender import DirectSender
from broker_actors.adapters.rabbitmq.line import Line
from broker_actors.adapters.rabbitmq.publication import Publication
from broker_actors.core.errors import MailboxFullError, UnroutableError
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from tests.unit.adapters.test_rabbit_peeling import Writer


class Socket(Writer):
    """A writer whose socket takes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent_bytes = 0
        self.writes = 0
        self.drained = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes += 1
        super().write(data)

    @property
    def transport(self) -> asyncio.WriteTransport:
        size = self.unsent_bytes
        return cast("asyncio.WriteTransport", SimpleNamespace(get_write_buffer_size=lambda: size))

    async def drain(self) -> None:
        await self.drained.wait()


class Publishing:
    """A sender on a channel of a broker that answers when told to."""

    def __init__(self) -> None:
        self.line = Line(100)
        passages = Passages()
        self.socket = Socket()
        passages.opened(self.socket)
        self.reader = PeelingReader(passages)
        channel = cast("aiormq.Channel", SimpleNamespace(number=1, max_content_size=100_000))
        ids = (f"id{n}" for n in count(1))
        self.sender = DirectSender(channel, passages, self.line, ids)

    def publish(self, body: str = "x") -> Publication:
        publication = self.enter(body)
        self.sender.pump()
        return publication

    def enter(self, body: str) -> Publication:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        publication = Publication(Route("main", "box"), WireMessage(body=body.encode()), done)
        self.line.enter(publication)
        return publication

    def answer(self, *parts: Frame | ContentHeader) -> None:
        self.reader.feed_data(b"".join(pamqp.frame.marshal(part, 1) for part in parts))

    @property
    def bodies(self) -> list[str]:
        found: list[str] = []
        data = self.socket.data
        while data:
            size_bytes, _, frame = pamqp.frame.unmarshal(data)
            if isinstance(frame, pamqp.body.ContentBody):
                found.append(frame.value.decode())
            data = data[size_bytes:]
        return found


@pytest.fixture
async def publishing() -> Publishing:
    return Publishing()


def states(publications: list[Publication]) -> list[str]:
    return [
        "open"
        if not publication.done.done()
        else type(publication.done.exception()).__name__
        if publication.done.exception()
        else "confirmed"
        for publication in publications
    ]


async def test_publications_leave_in_order_and_are_confirmed_one_by_one_or_together(
    publishing: Publishing,
) -> None:
    sent = [publishing.publish(str(n)) for n in range(6)]
    assert publishing.bodies == list("012345")
    publishing.answer(Basic.Ack(2))
    assert states(sent) == ["open", "confirmed", "open", "open", "open", "open"]
    publishing.answer(Basic.Ack(4, multiple=True))
    assert states(sent) == ["confirmed"] * 4 + ["open"] * 2
    # An answer to nothing, as after a repeated one, is nobody's.
    publishing.answer(Basic.Ack(4), Basic.Ack(17))
    assert states(sent) == ["confirmed"] * 4 + ["open"] * 2


async def test_what_waits_is_written_in_one_piece(publishing: Publishing) -> None:
    for n in range(6):
        publishing.enter(str(n))
    publishing.sender.pump()
    assert (publishing.bodies, publishing.socket.writes) == (list("012345"), 1)
    publishing.sender.pump()
    assert publishing.socket.writes == 1


async def test_of_more_than_a_socket_may_hold_the_rest_is_written_when_some_was_answered(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNSENT_BYTES_MAX", 1)
    sent = [publishing.enter(str(n)) for n in range(3)]
    publishing.sender.pump()
    assert publishing.bodies == ["0"]
    publishing.answer(Basic.Ack(1))
    assert publishing.bodies == ["0", "1"]
    publishing.answer(Basic.Ack(2))
    publishing.answer(Basic.Ack(3))
    assert (publishing.bodies, states(sent)) == (["0", "1", "2"], ["confirmed"] * 3)


async def test_a_refusal_is_of_those_it_names(publishing: Publishing) -> None:
    sent = [publishing.publish() for _ in range(3)]
    publishing.answer(Basic.Nack(1), Basic.Ack(2), Basic.Nack(3, multiple=True))
    assert states(sent) == [MailboxFullError.__name__, "confirmed", MailboxFullError.__name__]


async def test_what_is_returned_is_known_by_its_id(publishing: Publishing) -> None:
    sent = [publishing.publish() for _ in range(3)]
    header = ContentHeader(properties=Basic.Properties(message_id="id2"))
    publishing.answer(Basic.Return(312, "NO_ROUTE", "main", "box"), header, Basic.Ack(3, multiple=True))
    assert states(sent) == ["confirmed", UnroutableError.__name__, "confirmed"]


async def test_nothing_is_written_while_the_socket_takes_nothing(publishing: Publishing) -> None:
    publishing.socket.unsent_bytes = module.UNSENT_BYTES_MAX + 1
    for body in ("first", "second"):
        publishing.publish(body)
    assert publishing.bodies == ["first"]
    publishing.socket.unsent_bytes = 0
    publishing.socket.drained.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert publishing.bodies == ["first", "second"]


async def test_a_sender_that_is_stopped_writes_nothing_more(publishing: Publishing) -> None:
    publishing.socket.unsent_bytes = module.UNSENT_BYTES_MAX + 1
    publishing.publish("first")
    await publishing.sender.stop()
    publishing.socket.drained.set()
    await asyncio.sleep(0)
    publishing.publish("second")
    assert publishing.bodies == ["first"]
    # It is still in its line, for the next channel.
    assert publishing.line.waiting == 1


async def test_a_channel_that_the_broker_closed_is_not_written_to(publishing: Publishing) -> None:
    first = publishing.publish("first")
    publishing.answer(Channel.Close(404, "no exchange", class_id=60, method_id=40))
    publishing.publish("second")
    assert (publishing.bodies, states([first])) == (["first"], ["open"])


async def test_a_caller_that_gave_up_does_not_disturb_the_numbers(publishing: Publishing) -> None:
    given_up, waiting = publishing.publish(), publishing.publish()
    given_up.done.cancel()
    publishing.answer(Basic.Ack(1), Basic.Ack(2))
    assert states([waiting]) == ["confirmed"]
