"""The guard: every content header that passes it can be decoded, and good ones pass untouched."""

from __future__ import annotations

import asyncio
import struct

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import constants
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from broker_actors.adapters.rabbitmq.guard import GuardedReader, is_undecodable, readable

HEAD_BYTES = constants.FRAME_HEADER_SIZE


def header_frame(payload: bytes) -> tuple[bytes, bytes]:
    """Return a content header frame in the two pieces in which it is read."""
    head = struct.pack(">BHI", constants.FRAME_HEADER, 1, len(payload))
    return head, payload + constants.FRAME_END_CHAR


@given(
    flags=st.integers(0, 0xFFFE).map(lambda n: n & 0xFFFE),
    rest=st.binary(max_size=200),
    size=st.integers(0, 2**40),
)
def test_whatever_passes_can_be_decoded(flags: int, rest: bytes, size: int) -> None:
    head, tail = header_frame(struct.pack(">HHQH", Basic.frame_id, 0, size, flags) + rest)
    passed = readable(head, tail)
    consumed, channel, frame = pamqp.frame.unmarshal(head + passed)
    assert isinstance(frame, ContentHeader)
    assert (consumed, channel, frame.body_size) == (len(head + tail), 1, size)


@given(headers=st.dictionaries(st.text(max_size=5), st.text() | st.integers(0, 100), max_size=5))
def test_what_can_be_decoded_passes_untouched(headers: dict[str, str | int]) -> None:
    properties = Basic.Properties(headers=dict(headers), message_type="increment")
    frame = pamqp.frame.marshal(ContentHeader(body_size=3, properties=properties), 1)
    assert readable(frame[:HEAD_BYTES], frame[HEAD_BYTES:]) == frame[HEAD_BYTES:]


async def test_a_guarded_stream_keeps_its_frames_in_step() -> None:
    good = pamqp.frame.marshal(ContentHeader(body_size=1, properties=Basic.Properties(app_id="a")), 1)
    bad = b"".join(header_frame(struct.pack(">HHQHQ", Basic.frame_id, 0, 1, 0x0040, 2**63 - 1)))
    body = pamqp.frame.marshal(ContentBody(b"x"), 1)
    reader = GuardedReader()
    reader.feed_data(good + body + bad + body + good)
    frames: list[object] = []
    for _ in range(5):
        head = await reader.readexactly(1) + await reader.readexactly(6)
        _, _, size = pamqp.frame.frame_parts(head)
        assert size is not None
        frames.append(pamqp.frame.unmarshal(head + await reader.readexactly(size + 1))[2])
    headers = [frame.properties for frame in frames if isinstance(frame, ContentHeader)]
    assert [properties.app_id for properties in headers] == ["a", None, "a"]
    assert [frame.value for frame in frames if isinstance(frame, ContentBody)] == [b"x", b"x"]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (ValueError("year is out of range"), True),
        (RecursionError(), True),
        (ConnectionResetError(), False),
        (asyncio.CancelledError(), False),
        (None, False),
    ],
)
def test_only_what_reading_can_raise_calls_for_the_guard(
    reason: BaseException | None, *, expected: bool
) -> None:
    assert is_undecodable(reason) is expected
