"""A cluster of three nodes: every script stays in one slot, and every command finds its node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import cycle
from typing import Final

import pytest
from redis.crc import key_slot

from broker_actors.adapters.redis.keeper import Patience
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.members import RedisMembers
from broker_actors.adapters.redis.replies import RedisReplies
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.member import Member, Report
from broker_actors.core.reply import Reply
from broker_actors.core.topology import Layout
from broker_actors.core.turn import Committed, Duplicate
from broker_actors.ports.commit import Acceptance, Commit
from broker_actors.ports.outbox_numbers import OutboxNumbers
from tests.conformance.stores import Events, Inbox, actor, record_of
from tests.servers import RedisCluster
from tests.servers.ports import free_port
from tests.servers.redis_cluster import SLOTS, RedisNode

ACTORS: Final = [actor(f"{{c}}:{n}") for n in range(50)]


def slot_of(address: Address) -> int:
    return int(key_slot(Keys("ba").actor(address).encode()))


def elsewhere(cluster: RedisCluster, slot: int) -> RedisNode:
    """Return a node that does not have *slot*."""
    owner = cluster.owner(slot)
    return next(node for node in cluster.nodes if node is not owner)


async def test_the_store_works_on_a_cluster(redis_cluster: RedisCluster) -> None:
    store = await RedisStore.connect(redis_cluster.url, Events())
    assert await store.layout(Layout("Counter")) == Layout("Counter")
    assert await store.types() == ["Counter"]
    accepted = Acceptance("web", 1, Accepted(1), Reply(b"reply"))
    for who in ACTORS:
        claim = await store.claim(who, "mine")
        turn = Commit(
            *(claim, "turn", b"state", record_of("{k}"), (b"item",), accepted),
            numbers=OutboxNumbers("a1", ("B/{1}",)),
        )
        assert await store.commit(turn) == Committed()
        assert isinstance(await store.look_up(who, "{k}", b"digest"), Duplicate)
        await store.spawn(who)
    assert len({redis_cluster.owner(slot_of(who)).port for who in ACTORS}) == 3
    assert len(await store.undispatched("Counter", older_than_seconds=0)) == 50
    assert {one.address for one in await store.actors("Counter")} == set(ACTORS)
    for who in ACTORS:
        await store.dispatched(who, list(await store.outbox(who)))
    assert await store.undispatched("Counter", older_than_seconds=0) == []
    assert len(await store.spawned("Counter")) == 50
    await store.close()


async def test_replies_work_on_a_cluster(redis_cluster: RedisCluster) -> None:
    replies = RedisReplies(RedisSettings(redis_cluster.url), Events())
    # Enough of them that some are not where the URL points.
    inboxes = {f"client {{{n}}}": Inbox() for n in range(6)}
    for name, inbox in inboxes.items():
        await replies.open(name, inbox.on_reply, inbox.on_loss)
    for name, inbox in inboxes.items():
        assert await replies.send(name, "1", Reply(b"body")) is True
        await inbox.wait_for(replies=1)
        assert inbox.losses == 0
    await replies.close()


async def test_a_reply_channel_is_read_where_its_slot_has_moved_to(redis_cluster: RedisCluster) -> None:
    replies, inbox = RedisReplies(RedisSettings(redis_cluster.url), Events()), Inbox()
    await replies.open("client", inbox.on_reply, inbox.on_loss)
    slot = int(key_slot(b"ba:reply:client"))
    for n in range(3):
        await asyncio.to_thread(redis_cluster.move, slot, elsewhere(redis_cluster, slot))
        assert await replies.send("client", str(n), Reply(b"body")) is True
        await inbox.wait_for(replies=n + 1)
    assert inbox.ids == ["0", "1", "2"]
    await replies.close()


async def test_workers_know_of_each_other_on_a_cluster(redis_cluster: RedisCluster) -> None:
    settings = RedisSettings(redis_cluster.url)
    members = RedisMembers(settings, Events(), Patience(5.0, 15.0))
    slot = int(key_slot(b"ba:{members}:leases"))
    for _ in range(2):
        await asyncio.to_thread(redis_cluster.move, slot, elsewhere(redis_cluster, slot))
        living = await members.beat(Member("w1", frozenset()), Report())
        assert [member.name for member in living] == ["w1"]
    assert await members.hold("mailbox", "w1")
    await members.close()


async def test_one_of_the_hosts_in_the_url_is_enough(redis_cluster: RedisCluster) -> None:
    dead = f"redis://127.0.0.1:{free_port()}"
    store = await RedisStore.connect(redis_cluster.all_urls.replace("redis://", f"{dead},"), Events())
    for who in ACTORS[:5]:
        assert (await store.claim(who, "mine")).version == 0
    await store.close()


async def test_a_slot_that_moves_between_two_commits_loses_nothing(redis_cluster: RedisCluster) -> None:
    store = await RedisStore.connect(redis_cluster.url, Events())
    who = ACTORS[0]
    for n in range(3):
        claim = await store.claim(who, f"claim {n}")
        assert await store.commit(Commit(claim, f"turn {n}", b"%d" % n, outbox=[b"item"])) == Committed()
        slot = slot_of(who)
        await asyncio.to_thread(redis_cluster.move, slot, elsewhere(redis_cluster, slot))
    claim = await store.claim(who, "last")
    assert (claim.version, claim.state, len(claim.outbox)) == (3, b"2", 3)
    await store.close()


@pytest.fixture
def cluster_to_break() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.mark.verify
@pytest.mark.timeout(120)
async def test_slots_that_move_in_the_middle_of_commits_lose_nothing(redis_cluster: RedisCluster) -> None:
    store = await RedisStore.connect(redis_cluster.url, Events())
    slots = sorted({slot_of(who) for who in ACTORS})
    moving = True

    async def reshard() -> None:
        nonlocal moving
        for slot, _ in zip(cycle(slots), range(len(slots)), strict=False):
            await asyncio.to_thread(redis_cluster.move, slot, elsewhere(redis_cluster, slot))
        moving = False

    async def commit(who: Address) -> int:
        claim, turns = await store.claim(who, "mine"), 0
        while moving or turns < 10:
            turns += 1
            turn = Commit(
                *(claim, f"turn {turns}", b"%d" % turns, record_of(f"{turns}"), (b"item",)),
                numbers=OutboxNumbers("a1", ("B/1",)),
            )
            assert await store.commit(turn) == Committed()
            claim = await store.claim(who, "mine")
            assert (claim.version, claim.state) == (turns, b"%d" % turns)
            await store.dispatched(who, list(claim.outbox)[:-1])
        return turns

    turns = await asyncio.gather(reshard(), *(commit(who) for who in ACTORS))
    for who, count in zip(ACTORS, turns[1:], strict=True):
        assert count is not None
        claim = await store.claim(who, "last")
        assert (claim.version, list(claim.outbox.values())) == (count, [b"a1:%d:item" % count])
        assert isinstance(await store.look_up(who, f"{count}", b"digest"), Duplicate)
    await store.close()


@pytest.mark.verify
@pytest.mark.timeout(120)
async def test_what_a_replica_has_goes_on_when_its_primary_dies(cluster_to_break: RedisCluster) -> None:
    cluster, store = (
        cluster_to_break,
        await RedisStore.connect(cluster_to_break.all_urls, Events(), timeout_seconds=30),
    )
    replies, inbox = RedisReplies(RedisSettings(cluster.all_urls, 30), Events()), Inbox()
    await replies.open("client", inbox.on_reply, inbox.on_loss)
    claims = [await store.claim(who, "mine") for who in ACTORS]
    primary = cluster.owner(int(key_slot(b"ba:reply:client")))
    await asyncio.to_thread(cluster.replicate, primary)
    for claim in claims:
        assert await store.commit(Commit(claim, "turn 1", b"1")) == Committed()
    assert primary.ask("WAIT", 1, 5_000) == 1
    await asyncio.to_thread(primary.kill)
    for who in ACTORS:
        claim = await store.claim(who, "mine")
        assert (claim.version, claim.state) == (1, b"1")
        assert await store.commit(Commit(claim, "turn 2", b"2")) == Committed()
    assert await replies.send("client", "1", Reply(b"body")) is True
    await inbox.wait_for(replies=1)
    await replies.close()
    await store.close()


def test_the_slots_are_all_there(redis_cluster: RedisCluster) -> None:
    assert {redis_cluster.owner(slot).port for slot in (0, SLOTS // 2, SLOTS - 1)} == {
        node.port for node in redis_cluster.nodes
    }
