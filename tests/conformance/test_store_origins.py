"""Every store: which run of it answers, and what it knows of actors that others know something of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.past import RESUMPTIONS_MAX, Past, Resumption
from broker_actors.core.turn import Committed
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.origins import PASTS_READ_MAX
from broker_actors.ports.outbox_numbers import OutboxNumbers
from broker_actors.ports.store import Store
from tests.acceptance.going_back import Mortal, MortalMemory, MortalRedis
from tests.conformance.stores import HANG_SECONDS, Events, OpenStore, actor, commit_of
from tests.servers import RedisServer


async def test_everybody_hears_of_the_same_origin_as_long_as_the_store_runs(open_store: OpenStore) -> None:
    one, other = await open_store(), await open_store()
    origin = await one.origin()
    assert origin
    claim = await one.claim(actor(), "mine")
    assert await one.commit(commit_of(claim, "turn")) == Committed()
    assert [await one.origin(), await other.origin()] == [origin, origin]


async def test_the_pasts_of_actors_are_read_in_the_order_asked_for(store: Store) -> None:
    twice, claimed = await store.claim(actor("twice"), "mine"), await store.claim(actor("claimed"), "mine")
    assert await store.commit(commit_of(twice, "first")) == Committed()
    pasts = await store.pasts([actor("nobody"), actor("twice"), actor("claimed")])
    expected = [Past(), past_of(replace(twice, version=1)), past_of(claimed)]
    assert list(pasts) == expected
    assert list(await store.pasts([])) == []


async def test_reading_pasts_takes_no_actor_and_makes_none(store: Store) -> None:
    claim = await store.claim(actor("c1"), "mine")
    await store.pasts([actor("c1"), actor("c2")])
    assert await store.commit(commit_of(claim, "turn")) == Committed()
    assert [one.address for one in await store.actors("Counter")] == [actor("c1")]


async def test_as_many_pasts_as_may_be_asked_for_are_read_at_once(store: Store) -> None:
    addresses = [actor(f"c{n}") for n in range(PASTS_READ_MAX)]
    assert list(await store.pasts(addresses)) == [Past()] * PASTS_READ_MAX


async def test_a_claim_says_how_the_run_found_the_actor_whoever_claims_it_later(store: Store) -> None:
    first = await store.claim(actor(), "first")
    assert first.resumptions == (Resumption(first.epoch, 0, 0),)
    assert await store.commit(commit_of(first, "turn")) == Committed()
    again = await store.claim(actor(), "second")
    assert again.resumptions == first.resumptions


async def test_another_embedded_store_has_another_origin() -> None:
    assert await MemoryStore(SystemClock()).origin() != await MemoryStore(SystemClock()).origin()


@pytest.fixture(params=["memory", "redis"])
async def mortal(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Store, Mortal]]:
    """A store, and a way to restart it."""
    if request.param == "memory":
        memory = MortalMemory(SystemClock())
        yield memory, memory
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    store = await RedisStore.connect(server.url, Events())
    yield store, MortalRedis(server)
    await store.close()


async def test_a_restarted_store_has_another_origin_and_the_same_commits(
    mortal: tuple[Store, Mortal],
) -> None:
    store, server = mortal
    before = await store.origin()
    claim = await store.claim(actor(), "mine")
    assert await store.commit(commit_of(claim, "turn")) == Committed()
    await server.restart()
    assert await store.origin() != before
    assert list(await store.pasts([actor()])) == [past_of(replace(claim, version=1))]


async def test_the_first_claim_after_a_restart_says_what_it_found_and_only_the_newest_are_kept(
    mortal: tuple[Store, Mortal],
) -> None:
    store, server = mortal
    claim = await store.claim(actor(), "first")
    expected = list(claim.resumptions)
    for n in range(RESUMPTIONS_MAX + 1):
        assert await store.commit(commit_of(claim, f"turn {n}")) == Committed()
        await server.restart()
        before, claim = claim, await store.claim(actor(), f"claim {n}")
        expected.append(Resumption(claim.epoch, before.epoch, n + 1))
        claim = await store.claim(actor(), f"and again {n}")
        assert claim.resumptions == tuple(expected[-RESUMPTIONS_MAX:])
        assert list(await store.pasts([actor()])) == [past_of(claim)]


async def test_a_repeated_claim_after_a_restart_changes_nothing(mortal: tuple[Store, Mortal]) -> None:
    store, server = mortal
    claim = await store.claim(actor(), "mine")
    await server.restart()
    assert await store.claim(actor(), "mine") == claim


async def test_the_first_claim_after_a_restart_makes_a_new_sender_and_a_later_one_does_not(
    mortal: tuple[Store, Mortal],
) -> None:
    """Its numbers begin anew, also for whom it has told something before."""
    store, server = mortal

    async def told(claimed_by: str, incarnation: str) -> tuple[bytes | None, ...]:
        claim = await store.claim(actor(), claimed_by)
        numbers = OutboxNumbers(incarnation, ["B/1"])
        answer = await store.commit(Commit(claim, incarnation, outbox=[b"to B/1"], numbers=numbers))
        assert isinstance(answer, Committed)
        return answer.marks

    assert await told("one", "a1") == (b"a1:1:",)
    assert await told("two", "a2") == (b"a1:2:",)
    await server.restart()
    assert await told("three", "a3") == (b"a3:1:",)
    assert await told("four", "a4") == (b"a3:2:",)


async def test_who_has_sent_what_was_lost_does_not_clear_what_is_still_to_be_sent(
    mortal: tuple[Store, Mortal],
) -> None:
    """Although both are the same item of commits that made the same version."""
    store, server = mortal
    await store.claim(actor(), "before")
    async with server.going_back("Counter"):
        lost = await store.claim(actor(), "lost")
        await store.commit(commit_of(lost, "lost", outbox=(b"sent",)))
        sent = list(await store.outbox(actor()))
        # No store comes back within the millisecond.
        async with asyncio.timeout(HANG_SECONDS):
            while SystemClock().now_ms() <= lost.epoch:  # noqa: ASYNC110 - nobody says when it is over
                await asyncio.sleep(0)
    claim = await store.claim(actor(), "mine")
    await store.commit(commit_of(claim, "turn", outbox=(b"to be sent",)))
    await store.dispatched(actor(), sent)
    assert list((await store.outbox(actor())).values()) == [b"to be sent"]
    assert await store.undispatched("Counter", older_than_seconds=0) == [actor()]


async def test_a_redis_that_does_not_say_which_run_it_is_is_claimed_all_the_same(
    redis_server: RedisServer,
) -> None:
    async with Redis.from_url(redis_server.url) as redis:
        commands = ["+@all", "-info"]
        acl = partial(redis.acl_setuser, "worker", enabled=True, passwords=["+secret"])
        await acl(keys=["*"], channels=["*"], commands=commands)
    url = redis_server.url.replace("redis://", "redis://worker:secret@")
    store = await RedisStore.connect(url, Events())
    try:
        claim = await store.claim(actor(), "mine")
        assert claim.resumptions == ()
        assert await store.commit(commit_of(claim, "turn")) == Committed()
        assert list(await store.pasts([actor()])) == [Past(claim.epoch, 1)]
    finally:
        await store.close()


def past_of(claim: Claim) -> Past:
    return Past(claim.epoch, claim.version, claim.resumptions)
