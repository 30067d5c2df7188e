"""Frames as they come from a broker, and what may be in them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import pamqp.frame
from aiormq.abc import AbstractChannel, DeliveredMessage
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from broker_actors.adapters.rabbitmq.headers import NAME_BYTES_MAX

texts = st.text(st.characters(exclude_categories=["Cs"]))
short_texts = texts.filter(lambda text: len(text.encode()) <= 255)
names = texts.filter(lambda text: len(text.encode()) <= NAME_BYTES_MAX)
integers = st.integers(-(2**63), 2**63 - 1)
plain_headers = st.dictionaries(names, texts | integers, max_size=8)
timestamps = st.integers(0, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
field_values = st.recursive(
    texts
    | integers
    | st.booleans()
    | st.none()
    | timestamps
    | st.binary().map(bytearray)
    | st.floats(width=32, allow_nan=False)
    | st.integers(0, 2**31 - 1).map(lambda n: Decimal(n).scaleb(-2)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def delivered(
    properties: Basic.Properties, body: bytes, *, tag: int = 1, redelivered: bool = False
) -> DeliveredMessage:
    """Return a message after its way over the wire."""
    frame = pamqp.frame.marshal(ContentHeader(body_size=len(body), properties=properties), 1)
    _, _, header = pamqp.frame.unmarshal(frame)
    assert isinstance(header, ContentHeader)
    deliver = Basic.Deliver(
        consumer_tag="c", delivery_tag=tag, redelivered=redelivered, exchange="main", routing_key="box"
    )
    # Nothing reads the channel of a message.
    return DeliveredMessage(deliver, header, body, cast("AbstractChannel", None))
