"""A commit that is to answer a caller, and cannot."""

from __future__ import annotations

from dataclasses import replace

from redis.asyncio import Redis

from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.reply import Reply
from broker_actors.core.turn import Committed
from broker_actors.ports.commit import CallerReply
from tests.conformance.stores import Events, actor, commit_of

CALLER = CallerReply("client", "7", Reply(b"body"))


async def test_another_programs_key_in_place_of_the_channel_keeps_nothing_from_being_committed(
    redis_url: str,
) -> None:
    store = await RedisStore.connect(redis_url, Events())
    async with Redis.from_url(redis_url) as redis:
        await redis.set(Keys("ba").reply("client"), "not a stream")
    claim = await store.claim(actor(), "mine")
    outcome = await store.commit(replace(commit_of(claim, "turn", b"one"), caller=CALLER))
    assert isinstance(outcome, Committed)
    assert not outcome.answered
    assert (await store.claim(actor(), "next")).state == b"one"
    await store.close()
