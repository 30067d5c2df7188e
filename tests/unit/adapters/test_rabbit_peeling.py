"""Which frames of a connection are taken off, and which reach the library."""

from __future__ import annotations

import asyncio
import random

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.commands import Basic, Channel
from pamqp.header import ContentHeader

from broker_actors.adapters.rabbitmq import frames
from broker_actors.adapters.rabbitmq.channels import LostError
from broker_actors.adapters.rabbitmq.direct import reader
from broker_actors.adapters.rabbitmq.direct.passages import Passage, Passages
from broker_actors.adapters.rabbitmq.direct.reader import TAKEN_MAX, PeelingReader


class Writer(asyncio.StreamWriter):
    """Remembers what is written."""

    def __init__(self) -> None:
        self.data = b""
        self.is_gone = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data

    def is_closing(self) -> bool:
        return self.is_gone

    def __del__(self) -> None:
        """There is no socket to close."""


class Broker:
    """Feeds a reader with what a broker sends; channel 1 goes past the library."""

    def __init__(self) -> None:
        self.passages = Passages()
        self.writer = Writer()
        self.passages.opened(self.writer)
        self.reader = PeelingReader(self.passages)
        self.bodies: list[bytes] = []
        self.told: list[tuple[bytes, bytes]] = []
        self.acks: list[int] = []
        self.passage = Passage(
            1, self.passages, {frames.ACK: self._acknowledged}, {frames.DELIVER: self._delivered}
        )

    def _delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        self.told.append((method, header))
        self.bodies.append(body)

    def _acknowledged(self, payload: bytes) -> None:
        tag, _ = frames.TAG_AND_FLAGS.unpack_from(payload, frames.METHOD_BYTES)
        self.acks.append(tag)

    async def handed(self) -> list[tuple[int, object]]:
        """Return what the library is given until now, as channels and frames."""
        self.reader.feed_eof()
        data = await self.reader.read()
        found: list[tuple[int, object]] = []
        while data:
            size_bytes, channel, frame = pamqp.frame.unmarshal(data)
            found.append((channel, frame))
            data = data[size_bytes:]
        return found


async def passes(count: int) -> None:
    """Let the loop go round *count* times."""
    for _ in range(count):
        await asyncio.sleep(0)


def marshal(frame: Frame | ContentHeader | ContentBody, channel: int = 1) -> bytes:
    return pamqp.frame.marshal(frame, channel)


def delivery(body: bytes, channel: int = 1, pieces: int = 1) -> bytes:
    size = -(-len(body) // pieces) or 1
    return b"".join(
        [
            marshal(Basic.Deliver("c", 1, False, "main", "box"), channel),  # noqa: FBT003 - not redelivered
            marshal(ContentHeader(body_size=len(body)), channel),
            *(marshal(ContentBody(body[n : n + size]), channel) for n in range(0, len(body), size)),
        ]
    )


@pytest.fixture
async def broker() -> Broker:
    return Broker()


@pytest.mark.parametrize("seed", range(20))
async def test_frames_arrive_whole_however_they_are_cut(broker: Broker, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same cuts in every run
    data = b""
    expected: list[bytes] = []
    for n in range(50):
        match chance.randrange(4):
            case 0:
                body = chance.randbytes(chance.choice([0, 1, 200]))
                data += delivery(body, pieces=chance.randint(1, 3))
                expected.append(body)
            case 1:
                data += delivery(b"of the library", channel=2)
            case 2:
                data += marshal(Basic.Ack(n))
            case _:
                data += marshal(Channel.FlowOk(active=True))
    while data:
        size = chance.choice([1, 5, 100, 4000])
        broker.reader.feed_data(data[:size])
        data = data[size:]
    handed = await broker.handed()
    assert broker.bodies == expected
    assert not [frame for channel, frame in handed if channel == 1 and not isinstance(frame, Channel.FlowOk)]
    kinds = [type(frame) for channel, frame in handed if channel == 2]
    assert kinds == [Basic.Deliver, ContentHeader, ContentBody] * (len(kinds) // 3)


#: Frames as they come, and some that never should.
some_frames = st.sampled_from(
    [
        delivery(b"x"),
        delivery(b"x" * 300),
        delivery(b"in pieces", pieces=2),
        delivery(b""),
        delivery(b"of the library", channel=2),
        delivery(b"x", channel=3),
        marshal(Basic.Ack(1)),
        marshal(Channel.FlowOk(active=True)),
        frames.A_HEARTBEAT,
        *(frames.frame(kind, channel, bytes(12)) for kind in (1, 2) for channel in (1, 2)),
        marshal(Basic.Deliver("c", 1, False, "main", "box")),  # noqa: FBT003 - not redelivered
        marshal(ContentHeader(body_size=1)),
        marshal(ContentBody(b"x"), 2),
        frames.frame(frames.HEADER, 1, b"too short"),
    ]
)


@given(st.lists(some_frames, max_size=12))
def test_what_lies_whole_is_taken_off_as_it_is_frame_by_frame(parts: list[bytes]) -> None:
    async def taken(pieces: list[bytes]) -> tuple[object, ...]:
        lost: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context["message"]))
        broker = Broker()
        for piece in pieces:
            broker.reader.feed_data(piece)
        broker.reader.feed_eof()
        return broker.bodies, broker.told, broker.acks, await broker.reader.read(), lost

    data = b"".join(parts)
    assert asyncio.run(taken([data])) == asyncio.run(taken([bytes([one]) for one in data]))


async def test_much_at_once_is_worked_on_in_several_loop_passes(broker: Broker) -> None:
    count = TAKEN_MAX
    broker.reader.feed_data(b"".join(delivery(b"x") for _ in range(count)))
    assert len(broker.bodies) == TAKEN_MAX // 3
    broker.reader.feed_data(delivery(b"last"))
    assert len(broker.bodies) == TAKEN_MAX // 3
    await passes(1 + count * 3 // TAKEN_MAX)
    assert broker.bodies[-1] == b"last"


async def test_the_socket_is_not_read_while_too_much_waits(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    class Socket(asyncio.ReadTransport):
        def pause_reading(self) -> None:
            said.append("pause")

        def resume_reading(self) -> None:
            said.append("resume")

    monkeypatch.setattr(reader, "UNREAD_BYTES_MAX", 10_000)
    broker.reader.set_transport(Socket())
    many = b"".join(delivery(b"x" * 100) for _ in range(TAKEN_MAX))
    broker.reader.feed_data(many)
    broker.reader.feed_data(many)
    assert said == ["pause"]
    await passes(1 + 2 * 3)
    assert len(broker.bodies) == 2 * TAKEN_MAX
    assert said == ["pause", "resume"]


async def test_what_came_before_the_end_is_worked_on(broker: Broker) -> None:
    broker.reader.feed_data(b"".join(delivery(b"x") for _ in range(TAKEN_MAX)))
    broker.reader.feed_eof()
    assert len(broker.bodies) == TAKEN_MAX
    assert await broker.reader.read() == b""


async def test_the_library_sees_a_sign_of_life_while_only_messages_come(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "SIGN_OF_LIFE_SECONDS", 0.0)
    broker.reader.feed_data(delivery(b"x"))
    assert [type(frame).__name__ for _, frame in await broker.handed()] == ["Heartbeat"]


async def test_a_server_of_another_protocol_is_left_to_the_library(broker: Broker) -> None:
    broker.reader.feed_data(b"HTTP/1.1 400 Bad Request\r\n")
    broker.reader.feed_data(delivery(b"x"))
    broker.reader.feed_eof()
    assert (await broker.reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert broker.bodies == []


@pytest.mark.parametrize("close", [Channel.Close(404, "gone", class_id=0, method_id=0), Channel.CloseOk()])
async def test_after_the_brokers_close_the_channel_is_the_librarys(broker: Broker, close: Frame) -> None:
    broker.reader.feed_data(marshal(close) + delivery(b"of the next channel with that number"))
    assert len(await broker.handed()) == 4
    assert (broker.bodies, broker.passage.is_open) == ([], False)
    with pytest.raises(LostError):
        broker.passage.write(b"x")


async def test_after_the_librarys_close_nothing_is_written_and_what_comes_is_swallowed(
    broker: Broker,
) -> None:
    broker.passages.written(marshal(Channel.Close(200, "", class_id=0, method_id=0), 2))
    broker.passage.write(b"still open")
    broker.passages.written(marshal(Channel.Close(200, "", class_id=0, method_id=0)))
    with pytest.raises(LostError):
        broker.passage.write(b"x")
    broker.reader.feed_data(delivery(b"late") + marshal(Channel.CloseOk()) + delivery(b"next"))
    assert (broker.bodies, broker.writer.data) == ([b"late"], b"still open")
    assert len(await broker.handed()) == 4


async def test_nothing_is_written_to_a_socket_that_closes(broker: Broker) -> None:
    broker.writer.is_gone = True
    with pytest.raises(LostError):
        broker.passage.write(b"x")


async def test_a_receiver_that_fails_harms_nobody_else(broker: Broker) -> None:
    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context["exception"]))

    def fails(*_: bytes) -> None:
        raise ZeroDivisionError

    Passage(2, broker.passages, {}, {frames.DELIVER: fails})
    broker.reader.feed_data(delivery(b"x", channel=2) + delivery(b"y"))
    assert broker.bodies == [b"y"]
    assert [type(error) for error in caught] == [ZeroDivisionError]
    assert await broker.handed() == []
