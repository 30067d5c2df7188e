"""Messages to and from AMQP: what AMQP can hold goes both ways, the rest is refused in its caller's hands."""

from __future__ import annotations

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.common import FieldTable
from pamqp.header import ContentHeader

from broker_actors.adapters.rabbitmq.delivery import RabbitDelivery, from_amqp, to_properties
from broker_actors.adapters.rabbitmq.headers import HEADERS_BYTES_MAX, NAME_BYTES_MAX, to_table
from broker_actors.core.errors import PayloadTooLargeError, UndecodableError
from broker_actors.core.wire import INTEGER_MAX, WireMessage
from tests.unit.adapters.amqp import (
    delivered,
    field_values,
    integers,
    names,
    plain_headers,
    short_texts,
    texts,
    timestamps,
)


@given(
    headers=plain_headers,
    body=st.binary(),
    short=st.lists(short_texts, min_size=4, max_size=4),
    timestamp_seconds=st.integers(0, 2**32 - 1),
)
def test_the_platforms_messages_come_back_as_they_were(
    headers: dict[str, str | int], body: bytes, short: list[str], timestamp_seconds: int
) -> None:
    content_type, method, correlation_id, reply_to = short
    sent = WireMessage(
        headers=headers,
        body=body,
        content_type=content_type,
        type=method,
        correlation_id=correlation_id,
        reply_to=reply_to,
        timestamp_seconds=timestamp_seconds,
    )
    properties = to_properties(sent)
    assert properties.delivery_mode == 2
    assert from_amqp(delivered(properties, body)) == sent


@given(headers=st.dictionaries(names, field_values, max_size=5))
def test_foreign_headers_arrive_and_can_be_sent_on(headers: FieldTable) -> None:
    arrived = from_amqp(delivered(Basic.Properties(headers=headers), b""))
    assert dict(arrived.headers) == headers
    again = from_amqp(delivered(to_properties(arrived), b""))
    assert dict(again.headers) == dict(arrived.headers)


@given(
    properties=st.builds(
        Basic.Properties,
        content_type=short_texts | st.none(),
        content_encoding=short_texts | st.none(),
        priority=st.integers(0, 127) | st.none(),
        correlation_id=short_texts | st.none(),
        reply_to=short_texts | st.none(),
        expiration=short_texts | st.none(),
        message_id=short_texts | st.none(),
        timestamp=timestamps | st.none(),
        message_type=short_texts | st.none(),
        user_id=short_texts | st.none(),
        app_id=short_texts | st.none(),
    )
)
def test_odd_properties_of_foreign_messages_are_no_trouble(properties: Basic.Properties) -> None:
    message = from_amqp(delivered(properties, b"x"))
    assert message.type == (properties.message_type or "")
    assert message.message_id == (properties.message_id or "")
    assert message.timestamp_seconds >= 0


def test_a_delivery_acknowledges_its_own_tag() -> None:
    ended: list[int] = []
    message = delivered(Basic.Properties(), b"", tag=7, redelivered=True)
    delivery = RabbitDelivery(message, "box", ended.append)
    delivery.ack()
    assert (ended, delivery.redelivered, delivery.mailbox) == ([7], True, "box")


@pytest.mark.parametrize(
    "value", [2**63, -(2**63) - 1, object(), {1, 2}, "\ud800", 1e300, {"x": object()}, [2**64], 3 + 4j]
)
def test_a_header_amqp_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(UndecodableError):
        to_properties(WireMessage(headers={"h": value}))


@pytest.mark.parametrize("name", ["\ud800", "a\udfff"])
def test_a_header_name_that_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(UndecodableError):
        to_table({name: 1})


@pytest.mark.parametrize("name", ["n" * (NAME_BYTES_MAX + 1), "ü" * (NAME_BYTES_MAX // 2 + 1)])
def test_a_header_name_that_would_be_cut_is_refused(name: str) -> None:
    with pytest.raises(PayloadTooLargeError):
        to_table({name: 1})


def test_headers_larger_than_a_frame_are_refused() -> None:
    to_table({"h": "x" * (HEADERS_BYTES_MAX - 100)})
    with pytest.raises(PayloadTooLargeError):
        to_table({"h": "x" * HEADERS_BYTES_MAX})
    with pytest.raises(PayloadTooLargeError):
        to_table({f"h{n}": "ü" * 100 for n in range(HEADERS_BYTES_MAX // 200)})


@given(headers=st.dictionaries(names, texts | integers | st.binary(max_size=20), max_size=20))
def test_what_is_accepted_fits_into_a_frame(headers: dict[str, object]) -> None:
    frame = ContentHeader(properties=to_properties(WireMessage(headers=headers)))
    assert len(pamqp.frame.marshal(frame, 1)) <= HEADERS_BYTES_MAX + 2_000


@pytest.mark.parametrize("value", ["x" * 256, "ü" * 128])
def test_a_property_longer_than_amqp_allows_is_refused(value: str) -> None:
    messages = {
        "content_type": WireMessage(content_type=value),
        "type": WireMessage(type=value),
        "correlation_id": WireMessage(correlation_id=value),
        "reply_to": WireMessage(reply_to=value),
    }
    for name, message in messages.items():
        with pytest.raises(PayloadTooLargeError, match=name):
            to_properties(message)


def test_a_property_that_is_no_text_is_refused() -> None:
    with pytest.raises(UndecodableError):
        to_properties(WireMessage(type="\ud800"))


@pytest.mark.parametrize("seconds", [-1, 0, INTEGER_MAX])
def test_a_timestamp_nobody_can_read_is_left_out(seconds: int) -> None:
    assert to_properties(WireMessage(timestamp_seconds=seconds)).timestamp is None
