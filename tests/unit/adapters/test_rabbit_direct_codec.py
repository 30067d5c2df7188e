"""What goes past the client library looks on the wire as if it had gone by it, and is read the same."""

from __future__ import annotations

from dataclasses import replace
from typing import cast
from unittest.mock import patch

import pamqp.frame
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from broker_actors.adapters.rabbitmq import decoding, frames
from broker_actors.adapters.rabbitmq.decoding import message_of
from broker_actors.adapters.rabbitmq.delivery import from_amqp, to_properties
from broker_actors.adapters.rabbitmq.encoding import Properties, frames_of, method_of
from broker_actors.adapters.rabbitmq.headers import HEADERS_BYTES_MAX
from broker_actors.core.errors import PayloadTooLargeError, UndecodableError
from broker_actors.core.wire import WireMessage
from tests.unit.adapters.amqp import (
    delivered,
    field_values,
    integers,
    names,
    plain_headers,
    short_texts,
    timestamps,
)

messages = st.builds(
    WireMessage,
    headers=plain_headers | st.dictionaries(names, field_values, max_size=3),
    body=st.binary(max_size=300),
    content_type=short_texts,
    type=short_texts,
    correlation_id=short_texts,
    reply_to=short_texts,
    timestamp_seconds=st.integers(-1, 2**33) | st.integers(2**60, 2**63),
)
properties = st.builds(
    Basic.Properties,
    content_type=short_texts | st.none(),
    content_encoding=short_texts | st.none(),
    headers=st.dictionaries(names, field_values, max_size=5) | plain_headers | st.none(),
    delivery_mode=st.sampled_from([None, 1, 2]),
    priority=st.integers(0, 255) | st.none(),
    correlation_id=short_texts | st.none(),
    reply_to=short_texts | st.none(),
    expiration=short_texts | st.none(),
    message_id=short_texts | st.none(),
    timestamp=timestamps | st.none(),
    message_type=short_texts | st.none(),
    user_id=short_texts | st.none(),
    app_id=short_texts | st.none(),
)


def marshalled(channel: int, *parts: Basic.Publish | ContentHeader | ContentBody) -> bytes:
    return b"".join(pamqp.frame.marshal(part, channel) for part in parts)


@given(
    message=messages,
    exchange=st.from_regex(r"[a-zA-Z0-9_.:-]{0,100}", fullmatch=True),
    key=short_texts,
    message_id=short_texts.filter(bool),
    channel=st.integers(1, 2**16 - 1),
    piece_bytes_max=st.integers(1, 400),
)
def test_a_publication_is_what_the_library_would_send(
    message: WireMessage, exchange: str, key: str, message_id: str, channel: int, piece_bytes_max: int
) -> None:
    body = message.body
    plain = to_properties(message)
    plain.message_id = message_id
    pieces = [body[n : n + piece_bytes_max] for n in range(0, len(body), piece_bytes_max)]
    expected = marshalled(
        channel,
        Basic.Publish(exchange=exchange, routing_key=key, mandatory=True),
        ContentHeader(body_size=len(body), properties=plain),
        *map(ContentBody, pieces),
    )
    # The library sorts headers.
    in_order = replace(message, headers=dict(sorted(message.headers.items())))
    encoded = Properties(in_order).named(message_id)
    sent = frames_of(channel, method_of(exchange, key), encoded, body, piece_bytes_max)
    assert as_the_library_writes(sent) == as_the_library_writes(expected)
    if not any(type(value) is int for value in message.headers.values()):
        # Of numbers it writes as few bytes as they need.
        assert sent == expected


def as_the_library_writes(data: bytes) -> bytes:
    written: list[bytes] = []
    while data:
        size_bytes, channel, frame = pamqp.frame.unmarshal(data)
        written.append(pamqp.frame.marshal(frame, channel))
        data = data[size_bytes:]
    return b"".join(written)


def in_this_order(
    before: dict[str, str | int], number: str | int, after: dict[str, str | int]
) -> dict[str, str | int]:
    return before | {"ba-seq": number} | after


#: What may stand before the number of an envelope, and be taken for it.
_NEARLY = st.sampled_from(["\x06ba-seq", "ba-seq", "x\x06ba-seqb\x01", "\x06ba-seqS\x00\x00\x00\x00"])
numbered = st.builds(
    in_this_order,
    st.dictionaries(st.sampled_from(["ba-id", "ba-sender", "x"]) | _NEARLY, short_texts | integers | _NEARLY),
    integers | short_texts,
    st.dictionaries(st.sampled_from(["ba-low", "ba-id", "y"]), short_texts | integers | _NEARLY),
)


@given(
    properties=properties
    | st.builds(Basic.Properties, headers=numbered, message_id=_NEARLY, correlation_id=_NEARLY),
    body=st.binary(max_size=100),
)
@example(properties=Basic.Properties(), body=b"")
@example(properties=Basic.Properties(message_id="\x06ba-seq"), body=b"")
@example(properties=Basic.Properties(content_type="\x06ba-seqS\0\0\0\1z"), body=b"")
@example(properties=Basic.Properties(content_type="\x06ba-seqS\0\0\0\1z", headers={"a": 1}), body=b"")
@example(properties=Basic.Properties(headers={"ba-low": 2**40, "ba-seq": 2**41}), body=b"")
@example(properties=Basic.Properties(headers={"\x06ba-seq": 1, "ba-seq": 2}), body=b"")
def test_a_delivery_is_read_as_the_library_would_read_it(properties: Basic.Properties, body: bytes) -> None:
    assert message_of(header_of(properties, body), body) == from_amqp(delivered(properties, body))


def test_headers_stay_in_their_order() -> None:
    message = WireMessage({"ba-version": 1, "ba-type": "Counter", "ba-id": "c1"})
    header = bytes(frames.CONTENT.size) + Properties(message).named("m")
    assert list(message_of(header, b"").headers) == list(message.headers)


def test_what_one_sender_sends_differs_where_it_does() -> None:
    for number, body in [(1, b"a"), (2, b"b"), (2**40, b"c")]:
        headers = {"ba-type": "Counter", "ba-id": "c1", "ba-sender": "s", "ba-seq": number, "ba-low": number}
        message = WireMessage(headers, body, type="add")
        read = message_of(bytes(frames.CONTENT.size) + Properties(message).named(""), body)
        assert read == message
        # What is done with one message has nothing to do with the next.
        cast("dict[str, object]", read.headers).clear()


@given(
    numbers=st.tuples(*(st.integers(-(2**63), 2**63 - 1),) * 2),
    texts=st.tuples(short_texts, short_texts, short_texts.filter(bool)),
    sent_seconds=st.integers(1, 2**33),
    change=st.none() | st.tuples(st.integers(frames.CONTENT.size, 200), st.integers(0, 255)),
    behind=st.sampled_from([b"", b"x"]),
    cut=st.sampled_from([0, 0, 1, 9, 30]),
)
def test_a_tell_is_read_at_one_go_as_it_is_read_piece_by_piece(
    numbers: tuple[int, int],
    texts: tuple[str, str, str],
    sent_seconds: int,
    change: tuple[int, int] | None,
    behind: bytes,
    cut: int,
) -> None:
    sender, message_id, method = texts
    headers = {"ba-type": "Counter", "ba-sender": sender, "ba-seq": numbers[0], "ba-low": numbers[1]}
    tell = WireMessage(
        headers, content_type="application/msgpack", type=method, timestamp_seconds=sent_seconds
    )
    header = bytearray(bytes(frames.CONTENT.size) + Properties(tell).named(message_id))
    if change is not None:
        header[change[0] % len(header)] = change[1]
    data = bytes(header[: len(header) - cut]) + behind
    with patch.object(decoding, "_TELL", -1):
        expected = message_of(data, b"body")
    assert message_of(data, b"body") == expected
    if change is None and not cut and sent_seconds < 2**32:
        assert expected == replace(tell, body=b"body", message_id=message_id)


@given(header=st.binary(max_size=200).map(lambda rest: bytes(12) + rest))
def test_properties_that_cannot_be_decoded_leave_the_body(header: bytes) -> None:
    content = ContentHeader()
    try:
        content.unmarshal(header)
    except Exception:  # noqa: BLE001 - that is what is asked
        assert message_of(header, b"x") == WireMessage(body=b"x")
    else:
        assert message_of(header, b"x").body == b"x"


@given(properties=properties, cut=st.integers(0, 50))
def test_a_header_that_is_cut_is_read_as_the_library_reads_it(properties: Basic.Properties, cut: int) -> None:
    whole = header_of(properties, b"")
    header = whole[: max(12, len(whole) - cut)]
    content = ContentHeader()
    try:
        content.unmarshal(header)
    except Exception:  # noqa: BLE001 - that is what is asked
        assert message_of(header, b"") == WireMessage()
    else:
        # Of a text that is cut the library reads what is there.
        message_of(header, b"")


@pytest.mark.parametrize("tag", [1, 2**40])
@pytest.mark.parametrize("multiple", [False, True])
def test_an_acknowledgement_is_what_the_library_would_send(tag: int, *, multiple: bool) -> None:
    expected = pamqp.frame.marshal(Basic.Ack(delivery_tag=tag, multiple=multiple), 3)
    assert frames.acknowledgement(3, tag, multiple=multiple) == expected


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, object(), "\ud800", {"x": object()}])
def test_a_header_amqp_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(UndecodableError):
        Properties(WireMessage(headers={"h": value}))


@pytest.mark.parametrize(
    "message",
    [
        WireMessage(headers={"h": "x" * HEADERS_BYTES_MAX}),
        WireMessage(headers={"h" * 129: 1}),
        WireMessage(type="x" * 256),
        WireMessage(reply_to="ü" * 128),
    ],
)
def test_what_is_too_large_is_refused(message: WireMessage) -> None:
    with pytest.raises(PayloadTooLargeError):
        Properties(message)


def test_a_route_that_amqp_cannot_name_is_refused() -> None:
    with pytest.raises(PayloadTooLargeError):
        method_of("main", "x" * 256)
    with pytest.raises(UndecodableError):
        method_of("main", "\ud800" * 3)


def header_of(properties: Basic.Properties, body: bytes) -> bytes:
    frame = pamqp.frame.marshal(ContentHeader(body_size=len(body), properties=properties), 1)
    return frame[frames.HEAD.size : -1]
