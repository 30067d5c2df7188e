"""Past the client library and by it: the same messages, the same guarantees, and both together."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.adapters.rabbitmq.connection import passages_of
from broker_actors.adapters.rabbitmq.direct import releases
from broker_actors.adapters.rabbitmq.direct.sender import DirectSender
from broker_actors.adapters.rabbitmq.sender import Sender
from broker_actors.core.errors import MailboxFullError, UnroutableError
from broker_actors.core.topology import Route
from tests.conformance.transport.brokers import (
    HANG_SECONDS,
    MAILBOX,
    TO_MAILBOX,
    Inbox,
    bodies,
    declare_mailbox,
    go_by_the_library,
    message,
    publish_all,
)
from tests.integration.rabbitmq.support import open_channel, open_transport


def test_the_installed_releases_are_known() -> None:
    assert releases.is_known()


@pytest.mark.parametrize(
    ("aiormq", "pamqp", "is_known"),
    [
        ("7.2.9", "4.0.7", True),
        ("7.3.0", "4.0.1", False),
        ("7.2.4", "4.1.0", False),
        ("8.2.0", "4.0.1", False),
    ],
)
def test_another_minor_release_is_not_known(
    monkeypatch: pytest.MonkeyPatch, aiormq: str, pamqp: str, *, is_known: bool
) -> None:
    monkeypatch.setattr(releases, "version", {"aiormq": aiormq, "pamqp": pamqp}.__getitem__)
    assert releases.is_known.__wrapped__() is is_known


@pytest.mark.parametrize("publishes", ["direct", "by the library"])
@pytest.mark.parametrize("consumes", ["direct", "by the library"])
async def test_what_is_sent_one_way_is_read_the_other_way(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch, publishes: str, consumes: str
) -> None:
    numbers = bodies(range(300))
    async with asyncio.timeout(HANG_SECONDS):
        with monkeypatch.context() as patch:
            if publishes != "direct":
                go_by_the_library(patch)
            async with open_transport(amqp_url) as transport:
                await declare_mailbox(transport, x_max_length=400, x_overflow="reject-publish")
                sent = message(b"0", name="ü", number=-5, table={"a": [1, True, None]})
                await transport.publish(TO_MAILBOX, sent)
                assert type(transport._publisher._sender) is (
                    DirectSender if publishes == "direct" else Sender
                )
                await publish_all(transport, range(1, 300))
                with pytest.raises(UnroutableError, match="no queue is bound"):
                    await transport.publish(Route("main", "nowhere"), message("x"))
                with pytest.raises(MailboxFullError):
                    # The queue counts what it holds now and then.
                    await publish_all(transport, [b"overflow"] * 1_000)
        with monkeypatch.context() as patch:
            if consumes != "direct":
                go_by_the_library(patch)
            async with open_transport(amqp_url) as transport:
                first = Inbox()
                consumer = await transport.consume(MAILBOX.name, first, prefetch=100)
                assert (consumer._direct is not None) is (consumes == "direct")  # type: ignore[attr-defined]
                await first.wait_for(100)
                for delivery in first.deliveries[:40] + first.deliveries[50:60]:
                    delivery.ack()
                await consumer.close()
                again = Inbox(acks=True)
                await transport.consume(MAILBOX.name, again, prefetch=100)
                await again.wait_for(250)
    assert first.bodies[:100] == numbers[:100]
    assert again.bodies[:250] == numbers[40:50] + numbers[60:300]
    # Whatever came after those was given back, too.
    assert again.redelivered[:50] == [True] * 50
    assert dict(first.deliveries[0].message.headers) == sent.headers


async def test_a_channel_of_somebody_elses_connection_has_no_way_past_the_library(amqp_url: str) -> None:
    async with open_channel(amqp_url) as channel:
        assert passages_of(channel) is None
