"""Every store: what is committed and not yet confirmed by the broker."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from broker_actors.ports.commit import Claim
from broker_actors.ports.store import Store
from tests.conformance.stores import actor, commit_of, key_of


async def fill(store: Store, actor_id: str = "c1", items: tuple[bytes, ...] = (b"a", b"b")) -> Claim:
    """Commit *items*; return the claim at its new version."""
    claim = await store.claim(actor(actor_id), "mine")
    await store.commit(commit_of(claim, f"turn {claim.version}", None, items))
    return replace(claim, version=claim.version + 1)


async def test_the_outbox_is_in_the_order_of_its_commits(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    for version in range(12):
        items = tuple(b"%d.%d" % (version, n) for n in range(12))
        await store.commit(commit_of(replace(claim, version=version), f"turn {version}", None, items))
    outbox = await store.outbox(actor())
    expected = [(key_of(claim, v + 1, n), b"%d.%d" % (v, n)) for v in range(12) for n in range(12)]
    assert list(outbox.items()) == expected
    assert list((await store.claim(actor(), "next")).outbox.items()) == expected


async def test_an_item_is_kept_byte_for_byte(store: Store) -> None:
    items = (b"", bytes(range(256)), b"\r\n$3\r\nfoo\r\n")
    await fill(store, items=items)
    assert tuple((await store.outbox(actor())).values()) == items


async def test_a_confirmed_item_is_forgotten_and_the_others_stay(store: Store) -> None:
    claim = await fill(store, items=(b"a", b"b", b"c"))
    await store.dispatched(actor(), [key_of(claim, 1, 1)])
    assert dict(await store.outbox(actor())) == {key_of(claim, 1, 0): b"a", key_of(claim, 1, 2): b"c"}


async def test_forgetting_an_unknown_item_changes_nothing(store: Store) -> None:
    claim = await fill(store)
    await store.dispatched(actor(), [key_of(claim, 1, 7), key_of(claim, 9, 0)])
    await store.dispatched(actor("nobody"), [key_of(claim, 1, 0)])
    await store.dispatched(actor(), [])
    assert len(await store.outbox(actor())) == 2


async def test_forgetting_twice_does_not_touch_what_came_later(store: Store) -> None:
    claim = await fill(store)
    keys = list(await store.outbox(actor()))
    await store.dispatched(actor(), keys)
    await store.commit(commit_of(claim, "later", None, (b"later",)))
    await store.dispatched(actor(), keys)
    assert dict(await store.outbox(actor())) == {key_of(claim, 2, 0): b"later"}


async def test_an_actor_is_undispatched_until_its_last_item_is_forgotten(store: Store) -> None:
    claim = await fill(store)
    assert await store.undispatched("Counter", older_than_seconds=0) == [actor()]
    await store.dispatched(actor(), [key_of(claim, 1, 0)])
    assert await store.undispatched("Counter", older_than_seconds=0) == [actor()]
    await store.dispatched(actor(), [key_of(claim, 1, 1)])
    assert await store.undispatched("Counter", older_than_seconds=0) == []


async def test_a_young_outbox_is_left_to_its_worker(store: Store) -> None:
    await fill(store)
    assert await store.undispatched("Counter", older_than_seconds=60) == []


async def ages(store: Store) -> list[str]:
    """Return the ids of the undispatched, the oldest outbox first."""
    found = await store.undispatched("Counter", older_than_seconds=0)
    return [address.id for address in found]


async def test_an_outbox_that_was_empty_is_young_again(store: Store) -> None:
    claim = await fill(store, "a")
    await asyncio.sleep(0.005)
    await fill(store, "b")
    assert await ages(store) == ["a", "b"]
    await store.dispatched(actor("a"), list(await store.outbox(actor("a"))))
    await asyncio.sleep(0.005)
    await store.commit(commit_of(claim, "again", None, (b"again",)))
    assert await ages(store) == ["b", "a"]


async def test_an_outbox_that_was_never_empty_keeps_its_age(store: Store) -> None:
    claim = await fill(store, "a")
    await asyncio.sleep(0.005)
    await fill(store, "b")
    await asyncio.sleep(0.005)
    await store.commit(commit_of(claim, "again", None, (b"again",)))
    assert await ages(store) == ["a", "b"]


async def test_the_longest_undispatched_come_first(store: Store) -> None:
    for actor_id in ("c", "a", "b"):
        await fill(store, actor_id)
        await asyncio.sleep(0.005)
    found = await store.undispatched("Counter", older_than_seconds=0)
    assert [address.id for address in found] == ["c", "a", "b"]


async def test_undispatched_returns_a_thousand_actors_at_most(store: Store) -> None:
    ids = [f"actor {n}" for n in range(1100)]
    await asyncio.gather(*(fill(store, actor_id) for actor_id in ids))
    found = await store.undispatched("Counter", older_than_seconds=0)
    assert len(found) == len({address.id for address in found}) == 1000
    assert {address.id for address in found} < set(ids)
