"""The end of a consumer: what it leaves to the next one, and when it is told."""

from __future__ import annotations

import asyncio

from broker_actors.ports.transport import Transport
from tests.conformance.transport.brokers import (
    HANG_SECONDS,
    TO_MAILBOX,
    Connect,
    Inbox,
    bodies,
    declare_mailbox,
    message,
    publish_all,
    read,
)


async def test_closing_a_consumer_returns_unacked_messages_in_order_to_the_head(connect: Connect) -> None:
    first, second = await connect(), await connect()
    await declare_mailbox(first)
    await publish_all(first, range(8))
    inbox, stand_by = Inbox(), Inbox(acks=True)
    consumer = await first.consume("box", inbox, prefetch=5)
    await second.consume("box", stand_by, prefetch=5)
    await inbox.wait_for(5)
    await publish_all(first, range(8, 10))
    inbox.deliveries[1].ack()
    await consumer.close()
    await stand_by.wait_for(9)
    assert stand_by.bodies == bodies([0, *range(2, 10)])
    # The ack made room for one more before the channel was closed; whether it was used is up to the broker.
    assert stand_by.redelivered[:4] + stand_by.redelivered[5:] == [True] * 4 + [False] * 4
    assert inbox.redelivered == [False] * 5


async def test_order_survives_many_hand_overs(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(100))
    seen: list[bytes] = []
    for _ in range(30):
        inbox = Inbox()
        consumer = await transport.consume("box", inbox, prefetch=7)
        await inbox.wait_for(7)
        assert inbox.bodies == bodies(range(len(seen), len(seen) + 7))
        for delivery in inbox.deliveries[:2]:
            delivery.ack()
        seen += inbox.bodies[:2]
        await consumer.close()
    assert await read(transport, "box", 40) == bodies(range(60, 100))


async def test_losing_the_connection_returns_unacked_messages(connect: Connect) -> None:
    first, second = await connect(), await connect()
    await declare_mailbox(first)
    await publish_all(second, range(3))
    inbox = Inbox()
    consumer = await first.consume("box", inbox, prefetch=3)
    await inbox.wait_for(3)
    await first.close()
    async with asyncio.timeout(HANG_SECONDS):
        assert await consumer.closed()
    assert await read(second, "box", 3) == bodies(range(3))


async def test_closing_tells_why_and_is_idempotent(transport: Transport) -> None:
    await declare_mailbox(transport)
    consumer = await transport.consume("box", Inbox(), prefetch=1)
    waiting = asyncio.create_task(consumer.closed())
    await asyncio.gather(consumer.close(), consumer.close())
    await consumer.close()
    async with asyncio.timeout(HANG_SECONDS):
        assert await waiting == await consumer.closed() == "closed by this side"


async def test_waiting_for_the_end_can_be_cancelled(transport: Transport) -> None:
    await declare_mailbox(transport)
    inbox = Inbox(acks=True)
    consumer = await transport.consume("box", inbox, prefetch=1)
    waiting = asyncio.create_task(consumer.closed())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await publish_all(transport, ["alive"])
    await inbox.wait_for(1)


async def test_a_cancelled_close_still_closes(connect: Connect) -> None:
    transport, other = await connect(), await connect()
    await declare_mailbox(transport)
    consumer = await transport.consume("box", Inbox(), prefetch=1)
    closing = asyncio.create_task(consumer.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    await publish_all(other, ["for the next"])
    assert await read(other, "box", 1) == [b"for the next"]


async def test_nothing_is_delivered_after_closing(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(200))
    inbox = Inbox(acks=True)
    consumer = await transport.consume("box", inbox, prefetch=50)
    await inbox.wait_for(1)
    closing = asyncio.create_task(consumer.close())
    await asyncio.sleep(0)
    got = len(inbox.deliveries)
    await closing
    assert len(inbox.deliveries) == got
    # What was delivered was acknowledged in the same call, so the rest is still there, in order.
    assert await read(transport, "box", 200 - got) == bodies(range(got, 200))


async def test_a_consumer_can_be_opened_again(transport: Transport) -> None:
    await declare_mailbox(transport)
    for n in range(5):
        inbox = Inbox(acks=True)
        consumer = await transport.consume("box", inbox, prefetch=1)
        await transport.publish(TO_MAILBOX, message(n))
        await inbox.wait_for(1)
        await consumer.close()
        assert inbox.bodies == bodies([n])


async def test_a_smaller_window_gives_back_behind_what_was_given_back_before(transport: Transport) -> None:
    """Why every consumer of a mailbox needs the same prefetch: 3 to 9 pass 0 to 2 here."""
    await declare_mailbox(transport)
    await publish_all(transport, range(12))
    for prefetch in (10, 3):
        inbox = Inbox()
        consumer = await transport.consume("box", inbox, prefetch=prefetch)
        await inbox.wait_for(prefetch)
        assert inbox.bodies == bodies(range(prefetch))
        await consumer.close()
    assert await read(transport, "box", 12) == bodies([*range(3, 10), *range(3), 10, 11])
