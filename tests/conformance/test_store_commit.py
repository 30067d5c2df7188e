"""Every store: claims and commits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from broker_actors.core.turn import Committed, Fenced, Fresh
from broker_actors.ports.commit import Commit
from broker_actors.ports.store import Store
from tests.conformance.stores import OpenStore, actor, commit_of, record_of

#: More than two clocks differ, less than any other number that could be taken for a time.
CLOCKS_APART_MS = 60_000


async def test_an_actor_nobody_claimed_has_no_state_and_version_zero(store: Store) -> None:
    claim = await store.claim(actor(), "first")
    assert (claim.address, claim.nonce, claim.version, claim.state, dict(claim.outbox)) == (
        *(actor(), "first"),
        *(0, None, {}),
    )


async def test_a_commit_is_seen_by_the_next_claim(store: Store) -> None:
    first = await store.claim(actor(), "first")
    assert await store.commit(commit_of(first, "turn", b"one")) == Committed()
    second = await store.claim(actor(), "second")
    assert (second.version, second.state) == (1, b"one")


async def test_the_next_commit_under_a_claim_starts_from_the_version_the_last_one_made(store: Store) -> None:
    claim = await store.claim(actor(), "first")
    for version in range(5):
        turn = commit_of(replace(claim, version=version), f"turn {version}", b"%d" % version)
        assert await store.commit(turn) == Committed()
    assert (await store.claim(actor(), "second")).version == 5


async def test_two_claims_of_one_actor_have_rising_epochs(store: Store) -> None:
    epochs = [(await store.claim(actor(), f"claim {n}")).epoch for n in range(20)]
    assert epochs == sorted(set(epochs))


async def test_epochs_start_from_the_stores_time_so_that_they_rise_after_a_loss(store: Store) -> None:
    claim = await store.claim(actor(), "first")
    assert abs(claim.epoch - time.time() * 1000) < CLOCKS_APART_MS


async def test_claims_taken_at_once_have_different_epochs_and_one_can_commit(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    claims = await asyncio.gather(*(stores[n % 3].claim(actor(), f"claim {n}") for n in range(30)))
    assert len({claim.epoch for claim in claims}) == 30
    outcomes = [await stores[0].commit(commit_of(claim, f"turn {claim.nonce}")) for claim in claims]
    newest = max(claims, key=lambda claim: claim.epoch)
    assert [claim for claim, outcome in zip(claims, outcomes, strict=True) if outcome == Committed()] == [
        newest
    ]


async def test_claiming_again_with_the_same_nonce_is_the_same_claim(store: Store) -> None:
    first = await store.claim(actor(), "same")
    assert await store.claim(actor(), "same") == first
    assert await store.commit(commit_of(first, "turn")) == Committed()


async def test_a_commit_under_an_older_claim_is_fenced_and_writes_nothing(open_store: OpenStore) -> None:
    zombie, owner = await open_store(), await open_store()
    old = await zombie.claim(actor(), "old")
    await zombie.commit(commit_of(old, "turn 1", b"kept"))
    old = replace(old, version=1)
    await owner.claim(actor(), "new")
    late = Commit(old, "turn 2", b"lost", record_of("key"), (b"lost",))
    assert await zombie.commit(late) == Fenced()
    assert await zombie.look_up(actor(), "key", b"digest") == Fresh()
    assert dict(await zombie.outbox(actor())) == {}
    assert await zombie.undispatched("Counter", older_than_seconds=0) == []
    after = await owner.claim(actor(), "newer")
    assert (after.version, after.state) == (1, b"kept")


async def test_a_claim_with_another_nonce_at_the_same_epoch_is_fenced(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    assert await store.commit(commit_of(replace(claim, nonce="forged"), "turn")) == Fenced()


@pytest.mark.parametrize("step", [-1, 1, 1000])
async def test_a_commit_at_another_epoch_is_fenced_even_a_later_one(store: Store, step: int) -> None:
    claim = await store.claim(actor(), "mine")
    assert await store.commit(commit_of(replace(claim, epoch=claim.epoch + step), "turn")) == Fenced()


@pytest.mark.parametrize("version", [0, 1, 3])
async def test_a_commit_at_a_stale_version_is_fenced(store: Store, version: int) -> None:
    claim = await store.claim(actor(), "mine")
    await store.commit(commit_of(claim, "turn 1", b"one"))
    await store.commit(commit_of(replace(claim, version=1), "turn 2", b"two"))
    assert await store.commit(commit_of(replace(claim, version=version), "turn 3", b"lost")) == Fenced()
    assert (await store.claim(actor(), "next")).state == b"two"


async def test_a_commit_for_an_actor_nobody_claimed_is_fenced(store: Store) -> None:
    claim = await store.claim(actor("other"), "mine")
    assert await store.commit(commit_of(replace(claim, address=actor()), "turn")) == Fenced()


async def test_sending_a_commit_again_changes_nothing(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    claim = await first.claim(actor(), "mine")
    turn = Commit(claim, "turn", b"one", record_of("key"), (b"a", b"b"))
    assert await first.commit(turn) == Committed()
    before = await first.outbox(actor())
    await first.dispatched(actor(), list(before)[:1])
    assert await second.commit(turn) == Committed()
    assert await first.commit(turn) == Committed()
    assert dict(await first.outbox(actor())) == dict(list(before.items())[1:])
    assert (await first.claim(actor(), "next")).version == 1


async def test_sending_a_commit_again_after_another_claim_still_says_what_happened(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    turn = commit_of(claim, "turn", b"one")
    await store.commit(turn)
    await store.claim(actor(), "next")
    assert await store.commit(turn) == Committed()


async def test_a_commit_that_comes_late_a_second_time_is_fenced_and_writes_nothing(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    turn = commit_of(claim, "turn 1", b"one", (b"a",))
    await store.commit(turn)
    await store.commit(commit_of(replace(claim, version=1), "turn 2", b"two"))
    assert await store.commit(turn) == Fenced()
    after = await store.claim(actor(), "next")
    assert (after.version, after.state, list(after.outbox.values())) == (2, b"two", [b"a"])


async def test_of_two_commits_at_one_version_one_is_fenced(open_store: OpenStore) -> None:
    one, other = await open_store(), await open_store()
    claim = await one.claim(actor(), "mine")
    outcomes = await asyncio.gather(
        one.commit(commit_of(claim, "turn a", b"a")), other.commit(commit_of(claim, "turn b", b"b"))
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Committed", "Fenced"]
    assert (await one.claim(actor(), "next")).version == 1


async def test_a_commit_with_nothing_to_write_checks_the_fence_and_leaves_the_version(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    assert await store.commit(commit_of(claim, "read 1", None)) == Committed()
    assert await store.commit(commit_of(claim, "read 2", None)) == Committed()
    assert await store.commit(commit_of(claim, "turn", b"one")) == Committed()
    assert await store.commit(commit_of(claim, "read 3", None)) == Fenced()
    await store.claim(actor(), "next")
    assert await store.commit(commit_of(replace(claim, version=1), "read 4", None)) == Fenced()


async def test_a_commit_without_state_keeps_the_state(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    await store.commit(commit_of(claim, "turn 1", b"kept"))
    await store.commit(commit_of(replace(claim, version=1), "turn 2", None, (b"item",)))
    after = await store.claim(actor(), "next")
    assert (after.version, after.state) == (2, b"kept")


async def test_an_empty_state_is_a_state(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    await store.commit(commit_of(claim, "turn 1", b""))
    assert (await store.claim(actor(), "next")).state == b""


async def test_state_is_kept_byte_for_byte(store: Store) -> None:
    state = bytes(range(256)) * 4096
    claim = await store.claim(actor(), "mine")
    await store.commit(commit_of(claim, "turn", state))
    assert (await store.claim(actor(), "next")).state == state


async def test_actors_whose_names_look_alike_do_not_share_anything(store: Store) -> None:
    ids = ["a", "a:b", "b", "{a}", "a}", "{Counter:17}", "a b", "o:a", "1:a", "ключ", "a:k:1", "*", "🦊"]
    for n, actor_id in enumerate(ids):
        claim = await store.claim(actor(actor_id), "mine")
        turn = Commit(claim, "turn", b"state %d" % n, record_of("key", body=b"%d" % n), (b"item %d" % n,))
        assert await store.commit(turn) == Committed()
    for n, actor_id in enumerate(ids):
        after = await store.claim(actor(actor_id), "next")
        assert (after.state, list(after.outbox.values())) == (b"state %d" % n, [b"item %d" % n])
    assert sorted(a.id for a in await store.undispatched("Counter", older_than_seconds=0)) == sorted(ids)


async def test_actors_of_different_types_do_not_share_anything(store: Store) -> None:
    await store.commit(commit_of(await store.claim(actor("x", "A"), "mine"), "turn", b"a", (b"item",)))
    assert (await store.claim(actor("x", "B"), "mine")).state is None
    assert await store.undispatched("B", older_than_seconds=0) == []


async def test_a_refused_commit_says_which_version_the_store_holds(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    ahead = await store.commit(commit_of(replace(claim, version=5), "turn"))
    assert isinstance(ahead, Fenced)
    assert ahead.version == 0, "below the claim's: the store has lost commits"
    await store.commit(commit_of(claim, "turn"))
    behind = await store.commit(commit_of(claim, "another turn"))
    assert isinstance(behind, Fenced)
    assert behind.version == 1
    nobody = await store.commit(commit_of(replace(claim, address=actor("unheard of"), version=3), "turn"))
    assert isinstance(nobody, Fenced)
    assert nobody.version == 0
