"""Every store: the envelopes an actor has accepted and may not run yet."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from broker_actors.core.dedup import Accepted
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.listing import Summary
from broker_actors.ports.parking import NEVER_MS, PARKED_READ_MAX, ParkingChange, ParkingSize
from broker_actors.ports.store import Store
from tests.conformance.stores import actor

NOW_MS = 1_700_000_000_000


async def changed(store: Store, claim: Claim, *changes: ParkingChange) -> Claim:
    """Commit *changes*, one after the other; return the claim at its new version."""
    for change in changes:
        commit = Commit(claim, f"{claim.nonce} {claim.version}", parking=change)
        assert await store.commit(commit) == Committed()
        claim = replace(claim, version=claim.version + 1)
    return claim


def parks(*entries: bytes, due_ms: int = NOW_MS) -> ParkingChange:
    """Return the change that appends *entries*."""
    return ParkingChange(appended=entries, due_ms=due_ms)


async def claimed(store: Store, actor_id: str = "c1") -> Claim:
    return await store.claim(actor(actor_id), f"nonce of {actor_id}")


async def test_what_is_parked_is_read_in_order(store: Store) -> None:
    await changed(store, await claimed(store), parks(b"a", b"b"), parks(b"c"))
    assert await store.parking(actor()) == [b"a", b"b", b"c"]
    assert await store.parking(actor("other")) == []


async def test_an_entry_is_kept_byte_for_byte(store: Store) -> None:
    entries = (b"", bytes(range(256)), b"\r\n$3\r\nfoo\r\n")
    await changed(store, await claimed(store), parks(*entries))
    assert tuple(await store.parking(actor())) == entries


async def test_a_page_is_read_from_anywhere(store: Store) -> None:
    entries = tuple(b"%d" % n for n in range(PARKED_READ_MAX + 5))
    await changed(store, await claimed(store), parks(*entries))
    assert tuple(await store.parking(actor())) == entries[:PARKED_READ_MAX]
    assert tuple(await store.parking(actor(), start=PARKED_READ_MAX)) == entries[PARKED_READ_MAX:]
    assert tuple(await store.parking(actor(), start=1, limit=2)) == entries[1:3]


async def test_the_head_leaves_with_the_commit_of_its_turn(store: Store) -> None:
    claim = await changed(store, await claimed(store), parks(b"a", b"b"))
    assert (
        await store.commit(Commit(claim, "turn", b"state", parking=ParkingChange(pops=True))) == Committed()
    )
    assert await store.parking(actor()) == [b"b"]
    found = await store.claim(actor(), "next")
    assert (found.state, found.parked) == (b"state", ParkingSize(1, 1))


async def test_a_head_that_leaves_makes_room_for_what_is_appended_with_it(store: Store) -> None:
    claim = await changed(store, await claimed(store), parks(b"a"))
    await changed(store, claim, ParkingChange(pops=True, appended=(b"b", b"c"), due_ms=NOW_MS))
    assert await store.parking(actor()) == [b"b", b"c"]


async def test_the_head_is_replaced_and_stays_the_head(store: Store) -> None:
    claim = await changed(store, await claimed(store), parks(b"a", b"b"))
    await changed(store, claim, ParkingChange(head=b"second attempt", due_ms=NOW_MS))
    assert await store.parking(actor()) == [b"second attempt", b"b"]


async def test_a_head_that_is_not_there_neither_leaves_nor_is_replaced(store: Store) -> None:
    claim = await claimed(store)
    claim = await changed(store, claim, ParkingChange(pops=True), ParkingChange(head=b"a", due_ms=NOW_MS))
    assert await store.parking(actor()) == []
    assert await store.parked("Counter", due_before_ms=NEVER_MS) == []


async def test_a_change_that_is_sent_again_happens_once(store: Store) -> None:
    claim = await claimed(store)
    commit = Commit(claim, "one", parking=parks(b"a"))
    assert [await store.commit(commit), await store.commit(commit)] == [Committed(), Committed()]
    assert await store.parking(actor()) == [b"a"]
    popped = Commit(replace(claim, version=1), "two", parking=ParkingChange(pops=True, appended=(b"b", b"c")))
    assert [await store.commit(popped), await store.commit(popped)] == [Committed(), Committed()]
    assert await store.parking(actor()) == [b"b", b"c"]


async def test_only_the_newest_claim_changes_a_parking(store: Store) -> None:
    stale = await changed(store, await claimed(store), parks(b"a"))
    await store.claim(actor(), "newer")
    for change in (parks(b"b"), ParkingChange(pops=True), ParkingChange(head=b"x")):
        assert isinstance(await store.commit(Commit(stale, "late", parking=change)), Fenced)
    assert await store.parking(actor()) == [b"a"]


async def test_a_change_at_an_old_version_is_fenced(store: Store) -> None:
    claim = await claimed(store)
    await changed(store, claim, parks(b"a"))
    assert await store.commit(Commit(claim, "late", parking=parks(b"b"))) == Fenced(1)
    assert await store.parking(actor()) == [b"a"]


async def test_what_is_parked_is_accepted_with_it(store: Store) -> None:
    change = ParkingChange(
        appended=(b"a", b"b", b"c"),
        accepted={"s1": Accepted(2, last_ms=5), "s2": Accepted(9, ((1, 8),))},
        due_ms=NOW_MS,
    )
    await changed(store, await claimed(store), change)
    assert await store.accepted(actor(), "s1") == Accepted(2, last_ms=5)
    assert await store.accepted(actor(), "s2") == Accepted(9, ((1, 8),))


async def test_a_claim_says_how_much_is_parked(store: Store) -> None:
    claim = await claimed(store)
    assert claim.parked == ParkingSize()
    claim = await changed(store, claim, parks(b"12345", b"678"))
    assert (await store.claim(actor(), "a")).parked == ParkingSize(2, 8)
    claim = replace(await store.claim(actor(), "b"), version=claim.version)
    claim = await changed(store, claim, ParkingChange(head=b"1", due_ms=NOW_MS))
    assert (await store.claim(actor(), "c")).parked == ParkingSize(2, 4)
    claim = replace(await store.claim(actor(), "d"), version=claim.version)
    await changed(store, claim, ParkingChange(pops=True), ParkingChange(pops=True))
    assert (await store.claim(actor(), "e")).parked == ParkingSize()


async def test_whoever_looks_sees_how_much_is_parked(store: Store) -> None:
    claim = await changed(store, await claimed(store), parks(b"12345", b"678"))
    snapshot = await store.peek(actor())
    assert snapshot is not None
    assert snapshot.parked == ParkingSize(2, 8)
    assert list(await store.actors("Counter")) == [Summary(actor(), claim.epoch, 1, 0, 0, 2)]


async def test_the_bytes_of_a_type_are_those_of_all_its_actors(store: Store) -> None:
    assert await store.parked_bytes("Counter") == 0
    one = await changed(store, await claimed(store, "a"), parks(b"12345"))
    # In one bucket.
    await changed(store, await claimed(store, "c8"), parks(b"67", b"8"))
    two = await changed(store, await claimed(store, "c46"), parks(b"9"))
    assert await store.parked_bytes("Counter") == 9
    assert await store.parked_bytes("Other") == 0
    await changed(store, one, ParkingChange(head=b"", due_ms=NOW_MS))
    await changed(store, two, ParkingChange(pops=True))
    assert await store.parked_bytes("Counter") == 3


async def test_parked_actors_are_found_by_when_their_head_is_due(store: Store) -> None:
    for actor_id, due_ms in (
        ("late", NOW_MS + 2),
        ("never", NEVER_MS),
        ("early", NOW_MS),
        ("second", NOW_MS + 1),
    ):
        await changed(store, await claimed(store, actor_id), parks(b"x", due_ms=due_ms))
    found = await store.parked("Counter", due_before_ms=NOW_MS + 2)
    assert [address.id for address in found] == ["early", "second"]
    assert len(await store.parked("Counter", due_before_ms=NEVER_MS)) == 3
    assert await store.parked("Other", due_before_ms=NEVER_MS) == []


async def test_every_change_says_when_the_head_is_due(store: Store) -> None:
    claim = await changed(store, await claimed(store), parks(b"a", due_ms=NOW_MS))
    claim = await changed(store, claim, parks(b"b", due_ms=NOW_MS + 9))
    assert await store.parked("Counter", due_before_ms=NOW_MS + 9) == []
    await changed(store, claim, ParkingChange(pops=True, due_ms=NOW_MS + 1))
    assert await store.parked("Counter", due_before_ms=NOW_MS + 2) == [actor()]


async def test_an_actor_whose_parking_is_empty_is_not_found(store: Store) -> None:
    claim = await changed(store, await claimed(store), parks(b"a", b"b"), ParkingChange(pops=True))
    assert await store.parked("Counter", due_before_ms=NEVER_MS) == [actor()]
    await changed(store, claim, ParkingChange(pops=True))
    assert await store.parked("Counter", due_before_ms=NEVER_MS) == []


async def test_anybody_can_make_a_head_due(store: Store) -> None:
    claim = await changed(store, await claimed(store), parks(b"a", due_ms=NEVER_MS))
    await store.make_due(actor(), NOW_MS)
    assert await store.parked("Counter", due_before_ms=NOW_MS + 1) == [actor()]
    # Without taking the actor from whoever has it.
    await changed(store, claim, ParkingChange(pops=True))
    await store.make_due(actor(), NOW_MS)
    assert await store.parked("Counter", due_before_ms=NEVER_MS) == []


async def test_a_thousand_parked_actors_are_listed_at_most(store: Store) -> None:
    async def park(actor_id: str) -> None:
        await changed(store, await claimed(store, actor_id), parks(b"x"))

    ids = [f"actor {n}" for n in range(1100)]
    await asyncio.gather(*map(park, ids))
    found = await store.parked("Counter", due_before_ms=NOW_MS + 1)
    assert len(found) == len({address.id for address in found}) == 1000
    assert {address.id for address in found} < set(ids)
