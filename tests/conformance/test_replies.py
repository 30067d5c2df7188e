"""Every adapter of reply channels."""

from __future__ import annotations

import asyncio

from broker_actors.core.reply import Reply
from tests.conformance.stores import Inbox, ReplyWorld


async def test_a_reply_reaches_the_channel_it_is_sent_to(world: ReplyWorld) -> None:
    client, worker, inbox = await world.connect(), await world.connect(), Inbox()
    channel = await client.open("client", inbox.on_reply, inbox.on_loss)
    assert channel.name == "client"
    assert await worker.send("client", "1", Reply(b"body", "application/json")) is True
    await inbox.wait_for(replies=1)
    assert inbox.replies == [("1", Reply(b"body", "application/json"))]


async def test_replies_arrive_in_the_order_in_which_they_were_sent(world: ReplyWorld) -> None:
    client, worker, inbox = await world.connect(), await world.connect(), Inbox()
    await client.open("client", inbox.on_reply, inbox.on_loss)
    await asyncio.gather(*(worker.send("client", str(n), Reply(b"%d" % n)) for n in range(2000)))
    await inbox.wait_for(replies=2000)
    assert inbox.replies == [(str(n), Reply(b"%d" % n)) for n in range(2000)]


async def test_a_reply_is_delivered_byte_for_byte_and_any_correlation_id_goes(world: ReplyWorld) -> None:
    client, worker, inbox = await world.connect(), await world.connect(), Inbox()
    await client.open("client {1}: ü", inbox.on_reply, inbox.on_loss)
    sent = [("", Reply(b"")), ("ü 🦊\r\n", Reply(bytes(range(256)))), ("c" * 1000, Reply(b"x" * 100_000, ""))]
    for correlation_id, reply in sent:
        assert await worker.send("client {1}: ü", correlation_id, reply)
    await inbox.wait_for(replies=len(sent))
    assert inbox.replies == sent


async def test_a_reply_to_a_channel_that_never_was_is_not_delivered(world: ReplyWorld) -> None:
    worker = await world.connect()
    assert await worker.send("nobody", "1", Reply(b"body")) is False


async def test_a_reply_to_a_closed_channel_is_not_delivered(world: ReplyWorld) -> None:
    client, worker, inbox = await world.connect(), await world.connect(), Inbox()
    channel = await client.open("client", inbox.on_reply, inbox.on_loss)
    await channel.close()
    await channel.close()
    assert await worker.send("client", "1", Reply(b"body")) is False
    assert inbox.replies == []


async def test_closing_the_replies_closes_their_channels(world: ReplyWorld) -> None:
    client, worker, inbox = await world.connect(), await world.connect(), Inbox()
    await client.open("client", inbox.on_reply, inbox.on_loss)
    await client.close()
    await client.close()
    assert await worker.send("client", "1", Reply(b"body")) is False


async def test_two_channels_do_not_mix(world: ReplyWorld) -> None:
    client, worker = await world.connect(), await world.connect()
    inboxes = {name: Inbox() for name in ("one", "two", "one:two")}
    for name, inbox in inboxes.items():
        await client.open(name, inbox.on_reply, inbox.on_loss)
    for n in range(50):
        for name in inboxes:
            await worker.send(name, f"{name} {n}", Reply(b"body"))
    for name, inbox in inboxes.items():
        await inbox.wait_for(replies=50)
        assert inbox.ids == [f"{name} {n}" for n in range(50)]


async def test_a_lost_channel_is_made_anew_and_its_owner_is_told(world: ReplyWorld) -> None:
    client, worker, inbox = await world.connect(), await world.connect(), Inbox()
    await client.open("client", inbox.on_reply, inbox.on_loss)
    await worker.send("client", "before", Reply(b"body"))
    await inbox.wait_for(replies=1)
    await world.lose("client")
    await inbox.wait_for(losses=1)
    assert await worker.send("client", "after", Reply(b"body")) is True
    await inbox.wait_for(replies=2)
    assert (inbox.ids, inbox.losses) == (["before", "after"], 1)


async def test_nothing_is_lost_between_opening_a_channel_and_the_first_reply(world: ReplyWorld) -> None:
    client, worker = await world.connect(), await world.connect()
    for n in range(30):
        inbox = Inbox()
        channel = await client.open(f"client {n}", inbox.on_reply, inbox.on_loss)
        assert await worker.send(f"client {n}", "1", Reply(b"body"))
        await inbox.wait_for(replies=1)
        assert inbox.losses == 0
        await channel.close()
