"""Acknowledgements: which deliveries they end, and when they mean nothing."""

from __future__ import annotations

from broker_actors.ports.transport import Transport
from tests.conformance.transport.brokers import (
    Inbox,
    bodies,
    declare_mailbox,
    publish_all,
    read,
)


async def test_an_ack_given_before_closing_counts(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(3))
    inbox = Inbox()
    consumer = await transport.consume("box", inbox, prefetch=3)
    await inbox.wait_for(3)
    for delivery in inbox.deliveries[:2]:
        delivery.ack()
    await consumer.close()
    await publish_all(transport, [3])
    assert await read(transport, "box", 2) == bodies([2, 3])


async def test_an_ack_after_closing_is_ignored(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(2))
    inbox = Inbox()
    consumer = await transport.consume("box", inbox, prefetch=2)
    await inbox.wait_for(2)
    await consumer.close()
    for delivery in inbox.deliveries:
        delivery.ack()
    assert await read(transport, "box", 2) == bodies(range(2))


async def test_acks_never_cover_a_delivery_that_still_runs(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(20))
    inbox = Inbox()
    consumer = await transport.consume("box", inbox, prefetch=20)
    await inbox.wait_for(20)
    running = {3, 4, 11, 19}
    for n in (7, 0, 12, 1, 2, 18):
        inbox.deliveries[n].ack()
    # A round trip, so that the acks so far are sent apart from the next.
    await transport.declare([])
    for n in set(range(20)) - running - {7, 0, 12, 1, 2, 18}:
        inbox.deliveries[n].ack()
    await transport.declare([])
    await consumer.close()
    assert await read(transport, "box", len(running)) == bodies(sorted(running))


async def test_acking_twice_is_harmless(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, range(4))
    inbox = Inbox()
    consumer = await transport.consume("box", inbox, prefetch=2)
    await inbox.wait_for(2)
    for _ in range(2):
        inbox.deliveries[1].ack()
        inbox.deliveries[0].ack()
        await inbox.wait_for(4)
    inbox.deliveries[2].ack()
    await consumer.close()
    assert await consumer.closed()
    assert await read(transport, "box", 1) == [b"3"]


async def test_many_acks_given_before_closing_count(transport: Transport) -> None:
    """A broker that is behind with acknowledgements must not forget them with the channel."""
    await declare_mailbox(transport)
    await publish_all(transport, range(400))
    consumer = await transport.consume("box", inbox := Inbox(), prefetch=400)
    await inbox.wait_for(400)
    # Every second one, so that no two can be acknowledged together.
    for delivery in inbox.deliveries[1::2]:
        delivery.ack()
    await consumer.close()
    await publish_all(transport, ["end"])
    assert await read(transport, "box", 201) == bodies([*range(0, 400, 2), "end"])
