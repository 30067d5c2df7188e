"""Messages of foreign publishers: whatever they hold, it is delivered and nothing breaks."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from decimal import Decimal

import aiormq
import pamqp.frame
import pytest
from aiormq.abc import ChannelFrame
from pamqp import constants
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.common import FieldTable

from broker_actors.adapters.rabbitmq.transport import RabbitTransport
from broker_actors.core.events import ConnectionLost
from tests.conformance.transport.brokers import (
    HANG_SECONDS,
    MAILBOX,
    TO_MAILBOX,
    Inbox,
    declare_mailbox,
    go_by_the_library,
    message,
    publish_all,
)
from tests.integration.rabbitmq.support import Watcher, open_channel, open_transport

ODD_HEADERS: FieldTable = {
    "table": {"inner": {"deeper": [1, "two", {"three": 3}]}},
    "array": [1, "a", True, None, [2]],
    "time": datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC),
    "bytes": bytearray(b"\xff\x00"),
    "yes": True,
    "nothing": None,
    "decimal": Decimal("1.25"),
    "float": 0.5,
    "big": 2**63 - 1,
    "negative": -(2**63),
    "": "empty name",
    "größe": "ü",
}


async def test_headers_of_every_type_arrive(amqp_url: str) -> None:
    async with open_transport(amqp_url) as transport, open_channel(amqp_url, confirms=True) as channel:
        await declare_mailbox(transport)
        properties = Basic.Properties(
            headers=ODD_HEADERS,
            content_type="text/plain",
            content_encoding="gzip",
            priority=3,
            expiration="600000",
            app_id="elsewhere",
            delivery_mode=1,
            message_type="",
            timestamp=datetime(1970, 1, 1, tzinfo=UTC),
        )
        await channel.basic_publish(b"odd", exchange="main", routing_key="box", properties=properties)
        await transport.consume(MAILBOX.name, inbox := Inbox(acks=True), prefetch=5)
        await inbox.wait_for(1)
        got = inbox.deliveries[0].message
        assert dict(got.headers) == ODD_HEADERS
        assert (got.body, got.content_type, got.timestamp_seconds) == (b"odd", "text/plain", 0)
        # What came in can go out again.
        await transport.publish(TO_MAILBOX, got)
        await inbox.wait_for(2)
        assert dict(inbox.deliveries[1].message.headers) == ODD_HEADERS


async def test_a_message_without_any_property_arrives(amqp_url: str) -> None:
    async with open_transport(amqp_url) as transport, open_channel(amqp_url) as channel:
        await declare_mailbox(transport)
        await publish_raw(channel, b"\x00\x00", b"bare")
        await transport.consume(MAILBOX.name, inbox := Inbox(acks=True), prefetch=5)
        await inbox.wait_for(1)
        got = inbox.deliveries[0].message
        assert (dict(got.headers), got.body, got.type, got.message_id) == ({}, b"bare", "", "")


def nested(depth: int) -> bytes:
    """Return headers with tables inside each other."""
    table = b""
    for _ in range(depth):
        inner = struct.pack(">I", len(table)) + table
        table = b"\x01t" + b"F" + inner
    return struct.pack(">H", 0x2000) + struct.pack(">I", len(table)) + table


UNDECODABLE = {
    "a timestamp in microseconds": struct.pack(">HQ", 0x0040, 1_700_000_000_000_000),
    "the largest timestamp": struct.pack(">HQ", 0x0040, 2**63 - 1),
    "a type that is not UTF-8": struct.pack(">HB2s", 0x0020, 2, b"\xff\xfe"),
    "tables nested too deep": nested(1_000),
}


@pytest.mark.parametrize("is_known", [True, False], ids=["direct", "by the library"])
@pytest.mark.parametrize("name", UNDECODABLE)
async def test_properties_nobody_can_decode_are_left_out(
    amqp_url: str, name: str, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    if not is_known:
        go_by_the_library(monkeypatch)
    watcher = Watcher()
    async with (
        asyncio.timeout(HANG_SECONDS),
        open_transport(amqp_url, watcher) as transport,
        open_channel(amqp_url) as channel,
    ):
        await declare_mailbox(transport)
        await publish_all(transport, ["before"])
        await publish_raw(channel, UNDECODABLE[name], b"poison")
        # A round trip on the same channel: the broker has it.
        await channel.basic_qos(prefetch_count=1)
        await transport.publish(TO_MAILBOX, message("after", kept=1))
        inbox = await supervised(transport, 3)
        assert list(dict.fromkeys(inbox.bodies)) == [b"before", b"poison", b"after"]
        poison = next(d.message for d in inbox.deliveries if d.message.body == b"poison")
        assert (dict(poison.headers), poison.type) == ({}, "")
        assert inbox.deliveries[-1].message.headers["kept"] == 1
        # The library fails in reading them, once.
        assert len(watcher.of(ConnectionLost)) == (0 if is_known else 1)


async def supervised(transport: RabbitTransport, expected: int) -> Inbox:
    """Consume so many different messages, opening the consumer again whenever it is lost."""
    inbox = Inbox(acks=True)
    while len(set(inbox.bodies)) < expected:
        consumer = await transport.consume(MAILBOX.name, inbox, prefetch=10)
        lost = asyncio.create_task(consumer.closed())
        while not lost.done() and len(set(inbox.bodies)) < expected:
            arrived = asyncio.create_task(inbox.wait_for(len(inbox.deliveries) + 1))
            await asyncio.wait([lost, arrived], return_when=asyncio.FIRST_COMPLETED)
            arrived.cancel()
        lost.cancel()
    return inbox


async def publish_raw(channel: aiormq.Channel, properties: bytes, body: bytes) -> None:
    """Publish *body* with property flags and properties as given."""
    header = struct.pack(">HHQ", Basic.frame_id, 0, len(body)) + properties
    frame = struct.pack(">BHI", constants.FRAME_HEADER, channel.number, len(header))
    publish = pamqp.frame.marshal(Basic.Publish(exchange="main", routing_key="box"), channel.number)
    content = pamqp.frame.marshal(ContentBody(body), channel.number)
    payload = publish + frame + header + constants.FRAME_END_CHAR + content
    await channel.write_queue.put(ChannelFrame(payload=payload, should_close=False))
