"""Every store: looking at actors changes nothing, and pages over them miss none."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from broker_actors.core.address import bucket_number
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.turn import Committed
from broker_actors.ports.listing import PAGE_MAX, Summary
from broker_actors.ports.store import Store
from tests.conformance.stores import OpenStore, actor, commit_of, key_of

#: Several of them in one bucket, in the order of neither their ids nor their claims.
IDS = [*(f"c{n}" for n in range(600)), "ä", "🦊", "a:b", "{a}", "A", "\uffee"]


def in_order(ids: list[str]) -> list[str]:
    return sorted(ids, key=lambda actor_id: (bucket_number(actor_id), actor_id.encode()))


async def claim_all(store: Store, ids: list[str]) -> None:
    await asyncio.gather(*(store.claim(actor(actor_id), "mine") for actor_id in ids))


async def pages(store: Store, limit: int) -> list[list[str]]:
    """Return the ids of all pages of *limit*, the short one at the end included."""
    found: list[list[str]] = []
    after = ""
    while not found or len(found[-1]) == limit:
        page = [one.address.id for one in await store.actors("Counter", after=after, limit=limit)]
        found.append(page)
        after = page[-1] if page else after
    return found


async def test_a_type_nobody_called_has_no_actors(store: Store) -> None:
    assert list(await store.actors("Counter")) == []


async def test_a_claimed_actor_is_listed_with_what_the_store_holds(store: Store) -> None:
    claim = await store.claim(actor("busy"), "mine")
    assert await store.commit(commit_of(claim, "turn", b"state", (b"item", b"item"))) == Committed()
    assert list(await store.actors("Counter")) == [Summary(actor("busy"), claim.epoch, 1, 5, 2, 0)]


async def test_an_actor_that_was_claimed_only_is_listed_as_empty(store: Store) -> None:
    claim = await store.claim(actor("new"), "mine")
    assert list(await store.actors("Counter")) == [Summary(actor("new"), claim.epoch, 0, 0, 0, 0)]


async def test_an_actor_claimed_again_is_listed_once_with_its_newest_claim(store: Store) -> None:
    await store.claim(actor(), "first")
    claim = await store.claim(actor(), "second")
    assert [one.epoch for one in await store.actors("Counter")] == [claim.epoch]


async def test_only_the_actors_of_the_type_are_listed(store: Store) -> None:
    await store.claim(actor("one"), "mine")
    await store.claim(actor("other", "Other"), "mine")
    # Asked about, never claimed.
    await store.outbox(actor("asked"))
    await store.charge(actor("charged"), "m1")
    assert [one.address for one in await store.actors("Counter")] == [actor("one")]


@pytest.mark.parametrize("limit", [1, 7, 100, 101, 606, 607, PAGE_MAX])
async def test_pages_of_any_size_give_every_actor_once_in_the_fixed_order(store: Store, limit: int) -> None:
    await claim_all(store, IDS)
    found = await pages(store, limit)
    assert [actor_id for page in found for actor_id in page] == in_order(IDS)
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)


async def test_any_id_is_a_place_to_go_on_from(store: Store) -> None:
    await claim_all(store, IDS)
    after = next(f"x{n}" for n in range(10_000) if bucket_number(f"x{n}") == 100)
    place = (100, after.encode())
    expected = [one for one in in_order(IDS) if (bucket_number(one), one.encode()) > place]
    assert [one.address.id for one in await store.actors("Counter", after=after)] == expected


async def test_actors_that_are_new_between_two_pages_move_no_other(store: Store) -> None:
    await claim_all(store, IDS[::2])
    first = [one.address.id for one in await store.actors("Counter", limit=100)]
    await claim_all(store, IDS[1::2])
    rest = [one.address.id for one in await store.actors("Counter", after=first[-1])]
    assert set(first) & set(rest) == set()
    assert set(IDS[::2]) <= {*first, *rest}


async def test_all_connections_list_the_same(open_store: OpenStore) -> None:
    one, other = await open_store(), await open_store()
    await claim_all(one, IDS[:50])
    assert list(await one.actors("Counter")) == list(await other.actors("Counter"))


@pytest.mark.parametrize("limit", [-1, 0, PAGE_MAX + 1])
async def test_a_page_out_of_bounds_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(ConfigurationError, match=f"limit={limit} must be 1 to 10,000"):
        await store.actors("Counter", limit=limit)


async def test_a_peek_shows_state_and_outbox(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    state = bytes(range(256))
    await store.commit(commit_of(claim, "turn 1", state, (b"one", b"two")))
    await store.commit(commit_of(replace(claim, version=1), "turn 2", None, (b"three",)))
    found = await store.peek(actor())
    assert found is not None
    assert (found.address, found.epoch, found.version, found.state) == (actor(), claim.epoch, 2, state)
    assert list(found.outbox.items()) == [
        *((key_of(claim, 1, 0), b"one"), (key_of(claim, 1, 1), b"two")),
        (key_of(claim, 2, 0), b"three"),
    ]


async def test_a_peek_at_an_actor_nobody_claimed_finds_nothing_and_makes_nothing(store: Store) -> None:
    assert await store.peek(actor()) is None
    assert list(await store.actors("Counter")) == []


async def test_an_empty_state_is_not_no_state(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    unwritten = await store.peek(actor())
    await store.commit(commit_of(claim, "turn", b""))
    written = await store.peek(actor())
    assert unwritten is not None
    assert written is not None
    assert (unwritten.state, written.state) == (None, b"")


async def test_looking_takes_nothing_from_the_holder(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    before = await store.peek(actor())
    await store.actors("Counter")
    assert await store.peek(actor()) == before
    assert await store.commit(commit_of(claim, "turn")) == Committed()
