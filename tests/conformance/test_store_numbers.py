"""What every store remembers of numbered envelopes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker_actors.core.dedup import Accepted
from broker_actors.core.reply import Reply
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import SENDERS_MAX, Acceptance, Claim, Commit
from broker_actors.ports.store import Store
from tests.conformance.stores import OpenStore, actor

WEB = Accepted(high=3, holes=((2, 2),), low=1, last_ms=1_790_000_000_000)
FIRST = Acceptance("web", 3, WEB)
REPLY = Reply(b"\0five\0", "application/json")


async def accept(store: Store, claim: Claim, acceptance: Acceptance) -> Claim:
    """Commit *acceptance*; return the claim at its new version."""
    commit = Commit(claim, f"turn {claim.version}", acceptance=acceptance)
    assert await store.commit(commit) == Committed()
    return replace(claim, version=claim.version + 1)


async def test_an_actor_nobody_wrote_to_has_accepted_nothing(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    assert (dict(claim.senders), claim.has_all_senders, claim.forgotten_ms) == ({}, True, 0)
    assert await store.accepted(actor(), "web") is None
    assert await store.answered(actor(), "web", 1) is None


async def test_what_was_accepted_is_there_for_the_next_claim(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    await accept(first, await first.claim(actor(), "mine"), FIRST)
    claim = await second.claim(actor(), "theirs")
    assert dict(claim.senders) == {"web": WEB}
    assert claim.has_all_senders
    assert await second.accepted(actor(), "web") == WEB
    assert await second.accepted(actor("other"), "web") is None


async def test_accepting_raises_the_version_and_is_done_once_per_nonce(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    commit = Commit(claim, "turn", acceptance=FIRST)
    assert [await store.commit(commit) for _ in range(2)] == [Committed(), Committed()]
    assert (await store.claim(actor(), "mine")).version == claim.version + 1


async def test_a_fenced_worker_accepts_nothing(store: Store) -> None:
    stale = await store.claim(actor(), "mine")
    await store.claim(actor(), "theirs")
    acceptance = replace(FIRST, reply=REPLY, forgotten_ms=5)
    assert await store.commit(Commit(stale, "turn", acceptance=acceptance)) == Fenced()
    claim = await store.claim(actor(), "again")
    assert (dict(claim.senders), claim.forgotten_ms) == ({}, 0)
    assert await store.answered(actor(), "web", 3) is None


async def test_replies_are_kept_until_they_are_dropped(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    for seq in (1, 2, 3):
        claim = await accept(store, claim, Acceptance("web", seq, Accepted(seq), REPLY))
    claim = await accept(store, claim, Acceptance("web", 4, Accepted(4, low=3), None, dropped=(1, 3)))
    answers = [await store.answered(actor(), "web", seq) for seq in (1, 2, 3, 4)]
    assert answers == [None, None, REPLY, None]
    assert await store.answered(actor(), "other", 3) is None
    assert await store.answered(actor("other"), "web", 3) is None


async def test_senders_and_ids_that_look_alike_are_told_apart(store: Store) -> None:
    await accept(store, await store.claim(actor("a"), "n"), Acceptance("b:c", 1, Accepted(1), REPLY))
    await accept(store, await store.claim(actor("a:b"), "n"), Acceptance("c", 1, Accepted(1), Reply(b"two")))
    assert await store.answered(actor("a"), "b:c", 1) == REPLY
    assert await store.answered(actor("a:b"), "c", 1) == Reply(b"two")


async def test_forgotten_senders_are_gone_and_it_is_known_until_when(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    claim = await accept(store, claim, FIRST)
    acceptance = Acceptance("app", 1, Accepted(1), forget=("web", "unheard of"), forgotten_ms=WEB.last_ms)
    claim = await accept(store, claim, acceptance)
    await accept(store, claim, Acceptance("app", 2, Accepted(2), forgotten_ms=WEB.last_ms))
    after = await store.claim(actor(), "theirs")
    assert (dict(after.senders), after.forgotten_ms) == ({"app": Accepted(2)}, WEB.last_ms)


async def test_of_very_many_senders_a_claim_returns_some_and_says_so(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    for n in range(SENDERS_MAX):
        claim = await accept(store, claim, Acceptance(f"s{n}", 1, Accepted(1)))
    assert (await store.claim(actor(), "mine")).has_all_senders
    await accept(store, claim, Acceptance("one more", 1, Accepted(1)))
    claim = await store.claim(actor(), "mine")
    assert len(claim.senders) == SENDERS_MAX
    assert not claim.has_all_senders
    assert await store.accepted(actor(), "one more") == Accepted(1)


@pytest.mark.parametrize("high", [2**53 + 1, 2**62])
async def test_large_numbers_are_kept_as_they_are(store: Store, high: int) -> None:
    claim = await store.claim(actor(), "mine")
    low = high - 1
    claim = await accept(store, claim, Acceptance("web", low, Accepted(low, low=low), REPLY))
    await accept(store, claim, Acceptance("web", high, Accepted(high, low=high), REPLY))
    assert await store.accepted(actor(), "web") == Accepted(high, low=high)
    assert await store.answered(actor(), "web", high) == REPLY
