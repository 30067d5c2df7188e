"""Every store: reminders, which change with the commits of their actors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker_actors.core.errors import ConfigurationError
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.reminders import ReminderChange
from broker_actors.ports.schedules import SCHEDULED_LISTED_MAX
from broker_actors.ports.store import Store
from tests.conformance.stores import actor

NOW_MS = 1_900_000_000_000
DAILY = ReminderChange("daily", b"\0daily", NOW_MS)


async def wound(store: Store, *changes: ReminderChange, actor_id: str = "c1") -> Claim:
    """Commit *changes* for an actor; return its claim as it is then."""
    claim = await store.claim(actor(actor_id), f"nonce of {actor_id}")
    assert await store.commit(Commit(claim, f"{changes}"[-60:], reminders=changes)) == Committed()
    return replace(claim, version=claim.version + 1)


async def test_an_actor_has_none_by_itself(store: Store) -> None:
    await store.claim(actor(), "nonce")
    assert await store.reminder(actor(), "daily") is None
    assert dict(await store.reminders(actor())) == {}
    assert await store.all_reminders("Counter") == []


async def test_a_reminder_is_part_of_a_commit(store: Store) -> None:
    claim = await store.claim(actor(), "nonce")
    turn = Commit(claim, "turn", b"state", outbox=(b"tick",), reminders=(DAILY,))
    assert await store.commit(turn) == Committed(pending=1)
    assert await store.reminder(actor(), "daily") == b"\0daily"
    found = await store.claim(actor(), "next")
    assert (found.version, found.state, list(found.outbox.values())) == (1, b"state", [b"tick"])


async def test_who_lost_the_actor_cannot_wind_it(store: Store) -> None:
    old = await store.claim(actor(), "old")
    await store.claim(actor(), "newer")
    assert await store.commit(Commit(old, "turn", reminders=(DAILY,))) == Fenced()
    assert dict(await store.reminders(actor())) == {}


async def test_a_name_is_replaced(store: Store) -> None:
    claim = await wound(store, DAILY, ReminderChange("other", b"other", NOW_MS + 9))
    other = ReminderChange("daily", b"new", NOW_MS + 5)
    assert await store.commit(Commit(claim, "again", reminders=(other,))) == Committed()
    assert dict(await store.reminders(actor())) == {"daily": b"new", "other": b"other"}
    listed = await store.all_reminders("Counter")
    assert [(name, one) for _, name, one in listed] == [("daily", b"new"), ("other", b"other")]


async def test_one_that_must_be_something_for_that_changes_only_then(store: Store) -> None:
    claim = await wound(store, DAILY)
    stale = ReminderChange("daily", b"stale", NOW_MS + 5, instead_of=b"what it was")
    assert await store.commit(Commit(claim, "stale", b"state", reminders=(stale,))) == Committed()
    assert await store.reminder(actor(), "daily") == b"\0daily"
    claim = replace(claim, version=claim.version + 1)
    gone = ReminderChange("gone", b"back", NOW_MS, instead_of=b"before")
    right = ReminderChange("daily", b"next", NOW_MS + 5, instead_of=b"\0daily")
    assert await store.commit(Commit(claim, "right", reminders=(gone, right))) == Committed()
    assert dict(await store.reminders(actor())) == {"daily": b"next"}


async def test_a_commit_removes_one(store: Store) -> None:
    claim = await wound(store, DAILY)
    over = ReminderChange("daily", None, instead_of=b"\0daily")
    assert await store.commit(Commit(claim, "over", reminders=(over,))) == Committed()
    assert await store.reminder(actor(), "daily") is None
    assert await store.all_reminders("Counter") == []


async def test_a_lost_answer_is_asked_for_again(store: Store) -> None:
    claim = await store.claim(actor(), "nonce")
    commit = Commit(claim, "turn", reminders=(DAILY,))
    assert [await store.commit(commit), await store.commit(commit)] == [Committed(), Committed()]
    assert (await store.claim(actor(), "next")).version == 1


async def test_anybody_may_forget_one(store: Store) -> None:
    await wound(store, DAILY)
    assert [await store.forget_reminder(actor(), "daily") for _ in range(2)] == [True, False]
    assert await store.reminder(actor(), "daily") is None
    assert await store.all_reminders("Counter") == []


async def test_those_of_a_type_are_listed_due_first_first(store: Store) -> None:
    for n in range(30):
        change = ReminderChange("a:b" if n % 2 else "b", f"{n}".encode(), NOW_MS - n)
        await wound(store, change, actor_id=f"1:{n}")
    found = await store.all_reminders("Counter")
    assert [int(one) for _, _, one in found] == list(reversed(range(30)))
    assert found[0][:2] == (actor("1:29"), "a:b")
    assert len(await store.all_reminders("Counter", limit=7)) == 7
    assert await store.all_reminders("Order") == []


async def test_those_due_before_a_moment_are_listed_alone(store: Store) -> None:
    for n in range(20):
        await wound(store, ReminderChange("daily", f"{n}".encode(), NOW_MS + n), actor_id=f"c{n}")
    found = await store.all_reminders("Counter", due_before_ms=NOW_MS + 5)
    assert [int(one) for _, _, one in found] == list(range(5))
    assert len(await store.all_reminders("Counter", due_before_ms=NOW_MS + 15, limit=3)) == 3
    assert await store.all_reminders("Counter", due_before_ms=NOW_MS) == []


@pytest.mark.parametrize("limit", [0, SCHEDULED_LISTED_MAX + 1])
async def test_a_list_that_is_too_long_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(ConfigurationError, match="limit="):
        await store.all_reminders("Counter", limit=limit)
