"""Every store: actors that are suspended."""

from __future__ import annotations

from dataclasses import replace

from broker_actors.core.suspension import Cause, Suspension
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.parking import ParkingChange
from broker_actors.ports.store import Store
from broker_actors.ports.suspensions import SuspensionChange
from tests.conformance.stores import actor

NOW_MS = 1_700_000_000_000
FAILED = Suspension(Cause.FAULTS, "ValueError: boom \N{SNOWMAN}", NOW_MS)
SUSPEND, RESUME = SuspensionChange(FAILED), SuspensionChange(None)


async def claimed(store: Store, actor_id: str = "c1") -> Claim:
    return await store.claim(actor(actor_id), f"nonce of {actor_id}")


async def suspended(store: Store, actor_id: str = "c1", suspension: Suspension = FAILED) -> Claim:
    claim = await claimed(store, actor_id)
    commit = Commit(claim, "suspend", suspension=SuspensionChange(suspension))
    assert await store.commit(commit) == Committed()
    return replace(claim, version=claim.version + 1)


async def test_an_actor_is_not_suspended_by_itself(store: Store) -> None:
    claim = await claimed(store)
    assert claim.suspension is None
    assert await store.commit(Commit(claim, "turn", b"state")) == Committed()
    assert (await store.claim(actor(), "next")).suspension is None
    assert await store.suspended("Counter") == []


async def test_whoever_claims_it_next_is_told_that_it_is_suspended_and_why(store: Store) -> None:
    await suspended(store)
    assert (await store.claim(actor(), "next")).suspension == FAILED


async def test_it_is_suspended_together_with_what_else_the_turn_commits(store: Store) -> None:
    claim = await claimed(store)
    parking = ParkingChange(appended=(b"entry",))
    turn = Commit(claim, "turn", b"state", outbox=(b"item",), parking=parking, suspension=SUSPEND)
    assert await store.commit(turn) == Committed()
    found = await store.claim(actor(), "next")
    assert (found.version, found.state, found.parked.entries, found.suspension) == (1, b"state", 1, FAILED)
    assert list(found.outbox.values()) == [b"item"]


async def test_it_stays_suspended_while_other_turns_commit(store: Store) -> None:
    claim = await suspended(store)
    assert await store.commit(Commit(claim, "parks", parking=ParkingChange(appended=(b"a",)))) == Committed()
    assert (await store.claim(actor(), "next")).suspension == FAILED


async def test_who_lost_the_actor_can_neither_suspend_nor_resume_it(store: Store) -> None:
    old = await claimed(store)
    claim = await store.claim(actor(), "newer")
    assert await store.commit(Commit(old, "suspend", suspension=SUSPEND)) == Fenced()
    assert await store.commit(Commit(claim, "suspend", suspension=SUSPEND)) == Committed()
    assert await store.commit(Commit(old, "resume", suspension=RESUME)) == Fenced()
    assert await store.suspended("Counter") == [(actor(), FAILED)]


async def test_a_lost_answer_is_asked_for_again(store: Store) -> None:
    claim = await claimed(store)
    commit = Commit(claim, "suspend", suspension=SUSPEND)
    assert [await store.commit(commit), await store.commit(commit)] == [Committed(), Committed()]
    assert (await store.claim(actor(), "nonce of c1")).version == 1


async def test_a_resumed_actor_is_as_before(store: Store) -> None:
    claim = await suspended(store)
    assert await store.commit(Commit(claim, "resume", suspension=RESUME)) == Committed()
    found = await store.claim(actor(), "next")
    assert (found.version, found.suspension) == (2, None)
    assert await store.suspended("Counter") == []


async def test_resuming_who_is_not_suspended_changes_nothing_else(store: Store) -> None:
    claim = await claimed(store)
    assert await store.commit(Commit(claim, "resume", suspension=RESUME)) == Committed()
    assert (await store.claim(actor(), "next")).suspension is None


async def test_people_who_look_see_the_suspension(store: Store) -> None:
    await suspended(store)
    await claimed(store, "c2")
    snapshot = await store.peek(actor())
    assert snapshot is not None
    assert snapshot.suspension == FAILED
    assert {one.address.id: one.suspension for one in await store.actors("Counter")} == {
        "c1": FAILED,
        "c2": None,
    }


async def test_those_of_a_type_are_listed_the_first_suspended_first(store: Store) -> None:
    for n, actor_id in enumerate(["late", "later", "first"]):
        await suspended(store, actor_id, replace(FAILED, since_ms=NOW_MS + n - 10 * (actor_id == "first")))
    other = await store.claim(actor("o", "Order"), "nonce")
    await store.commit(Commit(other, "suspend", suspension=SUSPEND))
    assert [address.id for address, _ in await store.suspended("Counter")] == ["first", "late", "later"]
    assert await store.suspended("Order") == [(actor("o", "Order"), FAILED)]


async def test_a_new_reason_replaces_the_old_one(store: Store) -> None:
    claim = await suspended(store)
    again = Suspension(Cause.OPERATOR, "for maintenance", NOW_MS + 5)
    assert await store.commit(Commit(claim, "again", suspension=SuspensionChange(again))) == Committed()
    assert await store.suspended("Counter") == [(actor(), again)]
