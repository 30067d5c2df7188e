"""Publishing: confirmed, in order, and nobody pays for another's failure."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.core.errors import (
    BrokerUnavailableError,
    MailboxFullError,
    PayloadTooLargeError,
    UnroutableError,
)
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import Transport
from tests.conformance.transport.brokers import (
    TO_MAILBOX,
    Connect,
    Inbox,
    bodies,
    declare_mailbox,
    message,
    publish_all,
    read,
)

MANY = range(1_000)


async def test_a_confirmed_message_is_delivered_after_the_consumer_comes_later(connect: Connect) -> None:
    sender, receiver = await connect(), await connect()
    await declare_mailbox(sender)
    await sender.publish(TO_MAILBOX, message("hello"))
    await sender.close()
    assert await read(receiver, "box", 1) == [b"hello"]


async def test_what_is_delivered_is_what_was_published(transport: Transport) -> None:
    await declare_mailbox(transport)
    sent = WireMessage(
        headers={"ba-id": "größe/ü", "ba-seq": 2**63 - 1, "ba-low": 0, "ba-key": "", "ba-attempt": 40_000},
        body=bytes(range(256)),
        content_type="application/msgpack",
        type="increment",
        correlation_id="c-1",
        reply_to="r-1",
        timestamp_seconds=1_700_000_000,
    )
    inbox = Inbox()
    await transport.consume("box", inbox, prefetch=1)
    await transport.publish(TO_MAILBOX, sent)
    await inbox.wait_for(1)
    delivery = inbox.deliveries[0]
    got = delivery.message
    assert (dict(got.headers), got.body) == (dict(sent.headers), sent.body)
    assert (got.content_type, got.type) == (sent.content_type, sent.type)
    assert (got.correlation_id, got.reply_to) == (sent.correlation_id, sent.reply_to)
    assert got.timestamp_seconds == sent.timestamp_seconds
    assert (delivery.mailbox, delivery.redelivered) == ("box", False)


@pytest.mark.parametrize("size_bytes", [0, 1, 131_063, 131_064, 131_072, 1_048_576])
async def test_bodies_of_every_size_arrive_whole(transport: Transport, size_bytes: int) -> None:
    await declare_mailbox(transport)
    body = bytes(n % 251 for n in range(size_bytes))
    await transport.publish(TO_MAILBOX, message(body))
    assert await read(transport, "box", 1) == [body]


async def test_message_ids_are_unique_per_attempt(transport: Transport) -> None:
    await declare_mailbox(transport)
    same = WireMessage(body=b"same", message_id="same")
    await asyncio.gather(transport.publish(TO_MAILBOX, same), transport.publish(TO_MAILBOX, same))
    inbox = Inbox()
    await transport.consume("box", inbox, prefetch=2)
    await inbox.wait_for(2)
    assert len({delivery.message.message_id for delivery in inbox.deliveries} - {""}) == 2


async def test_an_unroutable_publish_raises(transport: Transport) -> None:
    await declare_mailbox(transport)
    with pytest.raises(UnroutableError):
        await transport.publish(Route("main", "nobody"), message("lost"))


async def test_an_unroutable_publish_in_flight_with_others_fails_alone(transport: Transport) -> None:
    await declare_mailbox(transport)
    routes = [TO_MAILBOX, Route("main", "nobody"), TO_MAILBOX, Route("main", "nobody"), TO_MAILBOX]
    results = await asyncio.gather(
        *(transport.publish(route, message(n)) for n, route in enumerate(routes)), return_exceptions=True
    )
    assert [type(result) for result in results] == [
        type(None), UnroutableError, type(None), UnroutableError, type(None),
    ]  # fmt: skip
    assert await read(transport, "box", 3) == bodies([0, 2, 4])


async def test_a_publish_to_an_unknown_exchange_fails_alone(transport: Transport) -> None:
    await declare_mailbox(transport)
    routes = [TO_MAILBOX] * 50 + [Route("unknown", "box")] + [TO_MAILBOX] * 50
    results = await asyncio.gather(
        *(transport.publish(route, message(n)) for n, route in enumerate(routes)), return_exceptions=True
    )
    assert [n for n, result in enumerate(results) if result is not None] == [50]
    assert isinstance(results[50], UnroutableError)
    inbox = Inbox(acks=True)
    await transport.consume("box", inbox, prefetch=1_000)
    await publish_all(transport, ["end"])
    while b"end" not in inbox.bodies:
        await inbox.wait_for(len(inbox.bodies) + 1)
    # Copies are allowed, for the broker may have had some of them before; first copies keep their order.
    assert list(dict.fromkeys(inbox.bodies)) == [*bodies([n for n in range(101) if n != 50]), b"end"]


async def test_two_publishes_in_flight_keep_their_order(transport: Transport) -> None:
    await declare_mailbox(transport)
    async with asyncio.TaskGroup() as group:
        group.create_task(transport.publish(TO_MAILBOX, message("first")))
        group.create_task(transport.publish(TO_MAILBOX, message("second")))
    assert await read(transport, "box", 2) == [b"first", b"second"]


async def test_many_publishes_in_flight_keep_their_order(transport: Transport) -> None:
    await declare_mailbox(transport)
    await publish_all(transport, MANY)
    assert await read(transport, "box", len(MANY)) == bodies(MANY)


async def test_a_large_message_in_between_keeps_its_place(transport: Transport) -> None:
    await declare_mailbox(transport)
    sizes_bytes = [10, 300_000, 10, 10, 70_000, 10]
    sent = [bytes([n]) * size for n, size in enumerate(sizes_bytes)]
    await asyncio.gather(*(transport.publish(TO_MAILBOX, message(body)) for body in sent))
    assert await read(transport, "box", len(sent)) == sent


async def test_cancelled_publishes_harm_neither_the_others_nor_their_order(transport: Transport) -> None:
    await declare_mailbox(transport)
    tasks = [asyncio.create_task(transport.publish(TO_MAILBOX, message(n))) for n in MANY]
    for passes, task in enumerate(tasks[::3]):
        if passes % 50 == 0:
            await asyncio.sleep(0)
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    confirmed = [n for n, result in enumerate(results) if result is None]
    assert len(confirmed) >= len(MANY) // 2
    inbox = Inbox(acks=True)
    await transport.consume("box", inbox, prefetch=1_000)
    await publish_all(transport, ["end"])
    while b"end" not in inbox.bodies:
        await inbox.wait_for(len(inbox.bodies) + 1)
    arrived = [int(body) for body in inbox.bodies[:-1]]
    assert arrived == sorted(arrived), "order of the calls"
    assert set(confirmed) <= set(arrived), "a cancelled one may have arrived; a confirmed one has"


async def test_a_full_mailbox_refuses(transport: Transport) -> None:
    await declare_mailbox(transport, x_max_length=2, x_overflow="reject-publish")
    results: list[BaseException | None] = []
    for n in range(10):
        results += await asyncio.gather(transport.publish(TO_MAILBOX, message(n)), return_exceptions=True)
    # The bound is soft: a quorum queue refuses a moment after it is full.
    assert results[:2] == [None, None]
    assert isinstance(results[-1], MailboxFullError)
    accepted = [n for n, result in enumerate(results) if result is None]
    assert await read(transport, "box", len(accepted)) == bodies(accepted)
    await transport.publish(TO_MAILBOX, message("room again"))


async def test_a_publish_after_closing_raises(transport: Transport) -> None:
    await declare_mailbox(transport)
    await transport.close()
    with pytest.raises(BrokerUnavailableError):
        await transport.publish(TO_MAILBOX, message("late"))


async def test_closing_twice_is_fine(transport: Transport) -> None:
    await transport.close()
    await transport.close()


async def test_messages_published_together_are_confirmed_and_arrive_in_order(transport: Transport) -> None:
    await declare_mailbox(transport)
    answers = await transport.publish_all([(TO_MAILBOX, message(n)) for n in MANY])
    assert list(answers) == [None] * len(MANY)
    assert await read(transport, "box", len(MANY)) == bodies(MANY)


async def test_of_messages_published_together_each_has_its_own_end(transport: Transport) -> None:
    await declare_mailbox(transport)
    unheard_of = WireMessage(headers={"x" * 300: "too long a name"})
    answers = await transport.publish_all(
        [
            (TO_MAILBOX, message(0)),
            (Route("main", "nobody"), message(1)),
            (TO_MAILBOX, unheard_of),
            (TO_MAILBOX, message(3)),
        ]
    )
    assert [type(answer) for answer in answers] == [
        type(None), UnroutableError, PayloadTooLargeError, type(None),
    ]  # fmt: skip
    assert await read(transport, "box", 2) == bodies([0, 3])


async def test_messages_published_together_come_between_what_is_called_before_and_after(
    transport: Transport,
) -> None:
    await declare_mailbox(transport)
    async with asyncio.TaskGroup() as group:
        group.create_task(transport.publish(TO_MAILBOX, message(0)))
        group.create_task(transport.publish_all([(TO_MAILBOX, message(n)) for n in (1, 2, 3)]))
        group.create_task(transport.publish(TO_MAILBOX, message(4)))
        group.create_task(transport.publish_all([]))
    assert await read(transport, "box", 5) == bodies(range(5))


async def test_nobody_else_pays_for_messages_whose_publisher_was_cancelled(transport: Transport) -> None:
    await declare_mailbox(transport)
    together = asyncio.create_task(transport.publish_all([(TO_MAILBOX, message(n)) for n in MANY]))
    alone = asyncio.create_task(transport.publish(TO_MAILBOX, message("end")))
    await asyncio.sleep(0)
    together.cancel()
    await alone
    assert together.cancelled()
    inbox = Inbox(acks=True)
    await transport.consume("box", inbox, prefetch=1_000)
    while b"end" not in inbox.bodies:
        await inbox.wait_for(len(inbox.bodies) + 1)
    arrived = [int(body) for body in inbox.bodies[:-1]]
    assert arrived == sorted(arrived)


async def test_messages_published_together_after_closing_fail(transport: Transport) -> None:
    await declare_mailbox(transport)
    await transport.close()
    answers = await transport.publish_all([(TO_MAILBOX, message(n)) for n in range(3)])
    assert [type(answer) for answer in answers] == [BrokerUnavailableError] * 3
