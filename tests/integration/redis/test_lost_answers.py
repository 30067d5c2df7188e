"""Answers that never arrive: the commit is sent again and applied once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from broker_actors.adapters.redis.connection import pack
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.events import Connected, ConnectionLost
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Commit
from tests.conformance.stores import Events, actor, commit_of, record_of
from tests.integration.redis.proxy import Proxy, proxy_to


class Behind:
    """A store behind a proxy, and one beside it that sees what really happened."""

    def __init__(self, store: RedisStore, beside: RedisStore, proxy: Proxy, events: Events) -> None:
        self.store = store
        self.beside = beside
        self.proxy = proxy
        self.events = events


@asynccontextmanager
async def behind_proxy(url: str, timeout_seconds: float = 3.0) -> AsyncIterator[Behind]:
    events = Events()
    async with proxy_to(url) as (proxy, proxied):
        beside = await RedisStore.connect(url, Events())
        store = await RedisStore.connect(proxied, events, timeout_seconds=timeout_seconds)
        try:
            yield Behind(store, beside, proxy, events)
        finally:
            await store.close()
            await beside.close()


async def test_a_commit_whose_answer_is_lost_in_a_black_hole_is_applied_once(redis_url: str) -> None:
    async with behind_proxy(redis_url) as at:
        claim = await at.store.claim(actor(), "mine")
        at.proxy.pipes[-1].swallow_answers()
        turn = Commit(claim, "turn", b"one", record_of("key"), (b"a", b"b"))
        assert await at.store.commit(turn) == Committed()
        assert len(at.proxy.pipes) == 2
        assert [type(event) for event in at.events.seen] == [Connected, ConnectionLost, Connected]
        after = await at.beside.claim(actor(), "next")
        assert (after.version, after.state, list(after.outbox.values())) == (1, b"one", [b"a", b"b"])


async def test_a_commit_whose_connection_is_cut_before_the_answer_is_applied_once(redis_url: str) -> None:
    async with behind_proxy(redis_url) as at:
        claim = await at.store.claim(actor(), "mine")
        for version in range(20):
            at.proxy.pipes[-1].cut_at_answer()
            turn = commit_of(replace(claim, version=version), f"turn {version}", None, (b"%d" % version,))
            assert await at.store.commit(turn) == Committed()
        outbox = await at.beside.outbox(actor())
        assert [(key.version, item) for key, item in outbox.items()] == [
            (n + 1, b"%d" % n) for n in range(20)
        ]
        lost = [event for event in at.events.seen if isinstance(event, ConnectionLost)]
        opened = [event for event in at.events.seen if isinstance(event, Connected)]
        assert (len(lost), len(opened)) == (20, 21)


async def test_a_claim_whose_answer_is_lost_is_one_claim(redis_url: str) -> None:
    async with behind_proxy(redis_url) as at:
        before = await at.beside.claim(actor(), "before")
        await at.store.outbox(actor())
        at.proxy.pipes[-1].cut_at_answer()
        claim = await at.store.claim(actor(), "mine")
        assert claim.epoch > before.epoch
        assert await at.store.commit(commit_of(claim, "turn")) == Committed()


async def test_a_commit_fenced_while_its_answer_was_lost_stays_fenced(redis_url: str) -> None:
    async with behind_proxy(redis_url) as at:
        claim = await at.store.claim(actor(), "mine")
        await at.beside.claim(actor(), "newer")
        at.proxy.pipes[-1].cut_at_answer()
        assert await at.store.commit(commit_of(claim, "turn")) == Fenced()


async def test_a_commit_that_arrives_late_a_second_time_changes_nothing(redis_url: str) -> None:
    async with behind_proxy(redis_url) as at:
        claim = await at.store.claim(actor(), "mine")
        pipe = at.proxy.pipes[-1]
        held = pipe.hold_questions()
        assert await at.store.commit(commit_of(claim, "turn 1", b"one", (b"a",))) == Committed()
        await at.store.dispatched(actor(), list(await at.store.outbox(actor())))
        later = replace(claim, version=1)
        assert await at.store.commit(commit_of(later, "turn 2", b"two", (b"b",))) == Committed()
        answers, writer = await asyncio.open_connection(*pipe.to_server.get_extra_info("peername"))
        writer.write(pack("SELECT", urlsplit(redis_url).path.strip("/")) + bytes(held))
        assert held.count(b"EVALSHA") == 1
        assert await answers.readline() == b"+OK\r\n"
        # Refused: the answer is the version the store holds by now.
        late = await answers.readuntil(b":2\r\n")
        assert late.endswith(b":2\r\n")
        writer.close()
        await writer.wait_closed()
        after = await at.beside.claim(actor(), "next")
        assert (after.version, after.state, list(after.outbox.values())) == (2, b"two", [b"b"])


async def test_every_caller_of_a_lost_batch_gets_its_own_answer(redis_url: str) -> None:
    async with behind_proxy(redis_url) as at:
        claims = await asyncio.gather(*(at.store.claim(actor(f"c{n}"), "mine") for n in range(200)))
        at.proxy.pipes[-1].cut_at_answer()
        stale = {n for n in range(200) if n % 3 == 0}
        outcomes = await asyncio.gather(
            *(
                at.store.commit(commit_of(replace(claim, version=int(n in stale)), "turn"))
                for n, claim in enumerate(claims)
            )
        )
        assert {n for n, outcome in enumerate(outcomes) if outcome == Fenced()} == stale
