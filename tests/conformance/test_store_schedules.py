"""Every store: delayed tells that wait, and those that were cancelled."""

from __future__ import annotations

import pytest

from broker_actors.core import reply
from broker_actors.core.errors import ConfigurationError, ErrorRecord
from broker_actors.core.scheduled import Scheduled
from broker_actors.core.turn import Committed, Duplicate, Fenced, Fresh
from broker_actors.ports.commit import Commit
from broker_actors.ports.schedules import SCHEDULED_LISTED_MAX
from broker_actors.ports.store import Store
from tests.conformance.stores import OpenStore, actor, record_of

NOW_MS = 1_700_000_000_000
#: More than what milliseconds of 32 bits hold.
YEARS_MS = 8 * 366 * 86_400_000


def entry(key: str = "d:1", due_ms: int = NOW_MS + 5_000, actor_id: str = "c1") -> Scheduled:
    return Scheduled(actor(actor_id), key, "increment", due_ms)


async def test_what_waits_is_listed_due_first_first(store: Store) -> None:
    late, early = entry("d:late", NOW_MS + YEARS_MS), entry("d:early", NOW_MS + 1)
    others = [entry(f"d:{n}", NOW_MS + n * 1_000, f"c{n}") for n in range(1, 40)]
    for one in (late, *reversed(others), early):
        assert await store.schedule(one)
    assert await store.schedules("Counter") == [early, *others, late]
    assert await store.schedules("Counter", limit=2) == [early, others[0]]
    assert await store.schedules("Order") == []


async def test_many_of_one_actor_are_listed(store: Store) -> None:
    of_one = [entry(f"d:{n:03}", NOW_MS + n) for n in range(200)]
    for one in of_one:
        await store.schedule(one)
    await store.schedule(entry("d:other", NOW_MS + 99_000, "c2"))
    assert list(await store.schedules("Counter", limit=150)) == of_one[:150]


@pytest.mark.parametrize("limit", [0, SCHEDULED_LISTED_MAX + 1])
async def test_a_list_that_is_too_long_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(ConfigurationError, match="limit="):
        await store.schedules("Counter", limit=limit)


async def test_ids_and_keys_of_any_characters_are_kept_apart(store: Store) -> None:
    all_of_them = [
        entry("k", NOW_MS, "a:b"),
        entry("b:k", NOW_MS + 1, "a"),
        entry("\0 \N{SNOWMAN}", NOW_MS + 2, "1:\N{SNOWMAN}"),
    ]
    for one in all_of_them:
        await store.schedule(one)
    assert await store.schedules("Counter") == all_of_them


async def test_one_that_is_scheduled_again_has_its_new_time(store: Store) -> None:
    await store.schedule(entry())
    later = entry(due_ms=NOW_MS + 60_000)
    assert await store.schedule(later)
    assert await store.schedules("Counter") == [later]


async def test_what_has_arrived_is_listed_no_more_and_runs(store: Store) -> None:
    await store.schedule(entry())
    assert [await store.arrived(entry()), await store.arrived(entry())] == [True, True]
    assert await store.schedules("Counter") == []


async def test_what_nobody_listed_runs_all_the_same(store: Store) -> None:
    assert await store.arrived(entry())


async def test_what_is_cancelled_is_listed_no_more_and_does_not_run(open_store: OpenStore) -> None:
    store, elsewhere = await open_store(), await open_store()
    await store.schedule(entry())
    known_by_id = Scheduled.parse(entry().id)
    assert [await elsewhere.cancel(known_by_id), await store.cancel(entry())] == [True, True]
    assert await store.schedules("Counter") == []
    assert not await store.arrived(entry())
    assert not await store.arrived(entry()), "delivered again"


async def test_a_cancelled_one_that_comes_too_early_does_not_wait_again(store: Store) -> None:
    await store.schedule(entry())
    await store.cancel(entry())
    assert not await store.schedule(entry(due_ms=NOW_MS + 9_000))
    assert await store.schedules("Counter") == []


async def test_its_key_counts_as_settled_for_every_other_call(store: Store) -> None:
    await store.cancel(entry("order-42"))
    found = await store.look_up(actor(), "order-42", b"whatever")
    assert isinstance(found, Duplicate)
    assert found.reply is not None
    answer = reply.read(found.reply)
    assert isinstance(answer, ErrorRecord)
    assert (answer.kind, answer.code) == ("BusinessError", "cancelled")
    assert await store.look_up(actor("c2"), "order-42", b"whatever") == Fresh()


async def test_what_has_committed_is_not_cancelled(store: Store) -> None:
    await store.schedule(entry("d:1"))
    claim = await store.claim(actor(), "nonce")
    assert await store.commit(Commit(claim, "turn", b"state", record_of("d:1"))) == Committed()
    assert not await store.cancel(entry("d:1"))
    assert await store.look_up(actor(), "d:1", b"digest") == Duplicate(record_of("d:1").reply)


async def test_what_is_cancelled_while_it_runs_does_not_commit(store: Store) -> None:
    claim = await store.claim(actor(), "nonce")
    assert await store.cancel(entry("d:1"))
    assert await store.commit(Commit(claim, "turn", b"state", record_of("d:1"), (b"item",))) == Fenced()
    found = await store.claim(actor(), "next")
    assert (found.version, found.state, dict(found.outbox)) == (0, None, {})
    assert await store.commit(Commit(found, "other", b"state", record_of("d:2"))) == Committed()


async def test_a_commit_whose_answer_was_lost_is_not_undone_by_a_late_cancel(store: Store) -> None:
    claim = await store.claim(actor(), "nonce")
    commit = Commit(claim, "turn", b"state", record_of("d:1"))
    assert await store.commit(commit) == Committed()
    assert not await store.cancel(entry("d:1"))
    assert await store.commit(commit) == Committed()
