"""Outbox items are numbered in the commit: densely per target, once, by one sender incarnation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker_actors.adapters.memory import actors as memory
from broker_actors.adapters.redis import turns as redis_turns
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.outbox_numbers import OutboxNumbers
from broker_actors.ports.store import Store
from tests.conformance.stores import OpenStore, actor, key_of


def numbered(claim: Claim, nonce: str, *targets: str, incarnation: str = "a1", renew: bool = False) -> Commit:
    """Return a commit with an item for each of *targets*; an empty one gets no number."""
    items = tuple(f"to {target}".encode() for target in targets)
    return Commit(claim, nonce, outbox=items, numbers=OutboxNumbers(incarnation, targets, renew))


async def marks(store: Store, commit: Commit) -> list[str | None]:
    """Write *commit* and return the marks of its items."""
    outcome = await store.commit(commit)
    assert isinstance(outcome, Committed)
    return [None if mark is None else mark.decode() for mark in outcome.marks]


async def test_items_are_numbered_densely_per_target(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    assert await marks(store, numbered(claim, "1", "B/1", "B/2", "B/1")) == ["a1:1:", "a1:1:", "a1:2:"]
    again = numbered(await store.claim(actor(), "mine"), "2", "B/1", "B/2", "B/3", incarnation="ignored")
    assert await marks(store, again) == ["a1:3:", "a1:2:", "a1:1:"]


async def test_an_item_is_kept_with_its_number(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    await store.commit(numbered(claim, "1", "B/1", "", "B/1"))
    kept = {
        key_of(claim, 1, 0): b"a1:1:to B/1",
        key_of(claim, 1, 1): b"to ",
        key_of(claim, 1, 2): b"a1:2:to B/1",
    }
    assert dict(await store.outbox(actor())) == kept
    assert dict((await store.claim(actor(), "next")).outbox) == kept


async def test_a_commit_that_is_sent_again_gives_the_same_numbers(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    commit = numbered(claim, "1", "B/1", "", "B/1")
    first = await marks(store, commit)
    assert await marks(store, commit) == first == ["a1:1:", "", "a1:2:"]
    await store.dispatched(actor(), [key_of(claim, 1, 0)])
    # What has left must not be sent again without anything to know it by.
    assert await marks(store, commit) == [None, "", "a1:2:"]


async def test_a_fenced_commit_takes_no_number(open_store: OpenStore) -> None:
    zombie, successor = await open_store(), await open_store()
    old = await zombie.claim(actor(), "old")
    new = await successor.claim(actor(), "new")
    assert isinstance(await zombie.commit(numbered(old, "1", "B/1")), Fenced)
    assert await marks(successor, numbered(new, "2", "B/1", incarnation="b2")) == ["b2:1:"]


async def test_a_successor_goes_on_with_the_numbers(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    await first.commit(numbered(await first.claim(actor(), "one"), "1", "B/1"))
    claim = await second.claim(actor(), "two")
    assert await marks(second, numbered(claim, "2", "B/1", incarnation="b2")) == ["a1:2:"]


async def test_actors_have_numbers_of_their_own(store: Store) -> None:
    for actor_id in ("c1", "c2"):
        claim = await store.claim(actor(actor_id), "mine")
        assert await marks(store, numbered(claim, "1", "B/1", incarnation=f"a{actor_id}")) == [
            f"a{actor_id}:1:"
        ]


async def test_a_new_sender_numbers_from_the_beginning(store: Store) -> None:
    await store.commit(numbered(await store.claim(actor(), "mine"), "1", "B/1", "B/2"))
    claim = await store.claim(actor(), "mine")
    assert await marks(store, numbered(claim, "2", incarnation="b2", renew=True)) == []
    later = await store.claim(actor(), "mine")
    # It is a write like any other, so that it is fenced like any other.
    assert later.version == claim.version + 1
    assert await marks(store, numbered(later, "3", "B/1", incarnation="c3")) == ["b2:1:"]
    # What it committed before keeps the number it had.
    assert next(iter((await store.outbox(actor())).values())) == b"a1:1:to B/1"


async def test_an_actor_that_tells_too_many_targets_becomes_a_new_sender(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "TARGETS_MAX", 3)
    monkeypatch.setattr(redis_turns, "TARGETS_MAX", 3)
    claim = await store.claim(actor(), "mine")
    assert await marks(store, numbered(claim, "1", "B/1", "B/2")) == ["a1:1:", "a1:1:"]
    claim = await store.claim(actor(), "mine")
    assert await marks(store, numbered(claim, "2", "B/1", "B/3", incarnation="b2")) == ["a1:2:", "a1:1:"]
    claim = await store.claim(actor(), "mine")
    assert await marks(store, numbered(claim, "3", "B/1", incarnation="c3")) == ["c3:1:"]
    claim = await store.claim(actor(), "mine")
    assert await marks(store, numbered(claim, "4", "B/1", "B/2", incarnation="d4")) == ["c3:2:", "c3:1:"]


async def test_a_commit_tells_how_many_items_wait(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    first = await store.commit(numbered(claim, "1", "B/1", "B/2", ""))
    assert isinstance(first, Committed)
    assert first.pending == 3
    await store.dispatched(actor(), [key_of(claim, 1, 1)])
    claim = await store.claim(actor(), "mine")
    # Also one that writes nothing: whoever was refused must hear of it when there is room again.
    for commit in (Commit(claim, "fence check"), Commit(claim, "2", b"state")):
        outcome = await store.commit(commit)
        assert isinstance(outcome, Committed)
        assert outcome.pending == 2


async def test_a_commit_that_neither_adds_nor_asks_does_not_count(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    await store.commit(numbered(claim, "1", "B/1", "B/2"))
    quiet = Commit(replace(claim, version=1), "2", b"state", counts=False)
    for _ in range(2):
        outcome = await store.commit(quiet)
        assert isinstance(outcome, Committed)
        assert outcome.pending == 0
    adding = replace(numbered(replace(claim, version=2), "3", "B/3"), counts=False)
    outcome = await store.commit(adding)
    assert isinstance(outcome, Committed)
    assert outcome.pending == 3
