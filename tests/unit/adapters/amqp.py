"""Frames as they come from a broker."""

from __future__ import annotations

from typing import cast

import pamqp.frame
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader


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
