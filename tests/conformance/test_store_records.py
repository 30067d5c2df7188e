"""Every store: keyed records and what outlives a type's actors."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from broker_actors.adapters.memory import store as memory_store
from broker_actors.adapters.redis import store as redis_store
from broker_actors.core.address import Address, bucket_of
from broker_actors.core.errors import MailboxFullError
from broker_actors.core.reply import Reply
from broker_actors.core.topology import Layout
from broker_actors.core.turn import Committed, Conflict, Duplicate, Fenced, Fresh
from broker_actors.ports.commit import Claim, Commit, KeyedRecord
from broker_actors.ports.store import Store
from tests.conformance.stores import HANG_SECONDS, OpenStore, actor, record_of


async def keep(store: Store, record: KeyedRecord, address: Address | None = None) -> Claim:
    """Commit nothing but *record*; return the claim at its new version."""
    claim = await store.claim(address or actor(), "mine")
    assert await store.commit(Commit(claim, f"turn {record.key}", None, record)) == Committed()
    return replace(claim, version=claim.version + 1)


async def test_a_key_nobody_used_is_fresh(store: Store) -> None:
    assert await store.look_up(actor(), "key", b"digest") == Fresh()


async def test_a_duplicate_gets_the_recorded_reply(store: Store) -> None:
    reply = Reply(bytes(range(256)), "application/json")
    await keep(store, KeyedRecord("key", b"\0digest", reply, 3600))
    assert await store.look_up(actor(), "key", b"\0digest") == Duplicate(reply)


async def test_the_same_key_with_another_digest_conflicts(store: Store) -> None:
    await keep(store, record_of("key", b"one body"))
    assert await store.look_up(actor(), "key", b"another body") == Conflict()


async def test_a_record_alone_raises_the_version(store: Store) -> None:
    await keep(store, record_of("key"))
    assert (await store.claim(actor(), "next")).version == 1


async def test_a_record_belongs_to_its_actor(store: Store) -> None:
    await keep(store, record_of("key"), actor("one"))
    assert await store.look_up(actor("other"), "key", b"digest") == Fresh()


async def test_an_id_and_a_key_never_run_together(store: Store) -> None:
    """Also where both ids live in one bucket, so that only the rest of the names tells them apart."""
    short = actor("a")
    long = next(a for n in range(10_000) if bucket_of(a := actor(f"a:{n}")) == bucket_of(short))
    await keep(store, record_of("key"), long)
    shifted = f"{long.id.removeprefix('a:')}:key"
    assert await store.look_up(short, shifted, b"digest") == Fresh()


@pytest.mark.parametrize("key", ["", " ", "{}", "ключ 🦊", "a\nb\r\n", "x" * 10_000])
async def test_a_key_may_be_any_text(store: Store, key: str) -> None:
    await keep(store, record_of(key))
    assert isinstance(await store.look_up(actor(), key, b"digest"), Duplicate)


async def test_a_record_expires_after_its_retention(store: Store) -> None:
    await keep(store, record_of("key", seconds=1))
    assert isinstance(await store.look_up(actor(), "key", b"digest"), Duplicate)
    async with asyncio.timeout(HANG_SECONDS):
        while await store.look_up(actor(), "key", b"digest") != Fresh():  # noqa: ASYNC110 - expiry tells nobody
            await asyncio.sleep(0.05)


async def test_a_record_written_again_is_replaced_and_lives_on(store: Store) -> None:
    claim = await keep(store, record_of("key", b"old", seconds=1))
    newer = replace(record_of("key", b"new", b"newer"), replaces=True)
    assert await store.commit(Commit(claim, "again", None, newer)) == Committed()
    assert await store.look_up(actor(), "key", b"new") == Duplicate(Reply(b"newer"))


async def test_a_key_that_another_call_used_up_meanwhile_fences(store: Store) -> None:
    claim = await keep(store, record_of("key", b"old"))
    late = Commit(claim, "late", b"state", record_of("key", b"new"), (b"item",))
    assert await store.commit(late) == Fenced()
    assert await store.look_up(actor(), "key", b"old") == Duplicate(record_of("key").reply)
    found = await store.claim(actor(), "next")
    assert (found.version, found.state, dict(found.outbox)) == (1, None, {})
    same = Commit(found, "same", None, record_of("key", b"old", b"again"))
    assert await store.commit(same) == Committed()


async def test_the_first_layout_of_a_type_stays(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    assert await first.recorded_layout("Counter") is None
    recorded = Layout("Counter", generation=1, partitions=8)
    assert await first.layout(recorded) == recorded
    assert await second.layout(Layout("Counter", generation=2, partitions=16)) == recorded
    assert await second.recorded_layout("Counter") == recorded
    assert await second.recorded_layout("Other") is None


async def test_the_types_are_those_with_a_layout(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    assert await second.types() == []
    for name in ("Counter", "Account", "Counter"):
        await first.layout(Layout(name))
    await first.spawn(Address("Lamp", "kitchen"))
    assert await second.types() == ["Account", "Counter"]


async def test_layouts_wanted_at_once_agree(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    recorded = await asyncio.gather(
        *(s.layout(Layout("Counter", partitions=n + 1)) for n, s in enumerate(stores))
    )
    assert len(set(recorded)) == 1


async def test_spawned_ids_are_remembered_once_and_sorted(store: Store) -> None:
    for actor_id in ["b", "ä", "a", "b", "B", "🦊", "a:b", "\uffee"]:
        await store.spawn(actor(actor_id))
    assert list(await store.spawned("Counter")) == sorted({"b", "ä", "a", "B", "🦊", "a:b", "\uffee"})
    assert list(await store.spawned("Other")) == []


async def test_spawned_returns_all_of_ten_thousand_ids(store: Store) -> None:
    ids = [f"{n:05}" for n in range(10_000)]
    for start in range(0, len(ids), 1000):
        await asyncio.gather(*(store.spawn(actor(actor_id)) for actor_id in ids[start : start + 1000]))
    assert list(await store.spawned("Counter")) == ids
    with pytest.raises(MailboxFullError, match="more than 10,000 dedicated actors of one type"):
        await store.spawn(actor("one more"))


async def test_an_id_beyond_the_bound_of_its_type_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for adapter in (memory_store, redis_store):
        monkeypatch.setattr(adapter, "SPAWNED_MAX", 3)
    spawns = [store.spawn(actor(actor_id)) for actor_id in "abcd"]
    refused = [error for error in await asyncio.gather(*spawns, return_exceptions=True) if error is not None]
    assert [type(error) for error in refused] == [MailboxFullError]
    recorded = list(await store.spawned("Counter"))
    assert len(recorded) == 3
    # Those recorded may be spawned again, and the bound is of one type.
    await store.spawn(actor(recorded[0]))
    await store.spawn(actor("a", "Other"))
    assert list(await store.spawned("Counter")) == recorded
