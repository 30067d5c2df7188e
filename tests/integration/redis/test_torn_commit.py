"""A commit that fails inside its script writes nothing that counts, although Redis does not roll back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.dedup import Accepted
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.reply import Reply
from broker_actors.core.suspension import Cause, Suspension
from broker_actors.core.turn import Committed, Fresh
from broker_actors.ports.commit import Acceptance, Claim, Commit
from broker_actors.ports.outbox_numbers import OutboxNumbers
from broker_actors.ports.parking import NEVER_MS, ParkingChange
from broker_actors.ports.suspensions import SuspensionChange
from tests.conformance.stores import Events, actor, record_of

SUSPENDED = SuspensionChange(Suspension(Cause.FAULTS, "boom", 1))


#: What a turn may do, and what may be in its way then.
FORMS = {
    "everything": (
        *("outbox", "dirty", "senders", "answers", "targets"),
        *("parking", "parked", "parked_bytes", "suspended"),
    ),
    "tells": ("outbox", "dirty", "senders", "answers", "targets"),
    "an answer": ("outbox", "senders", "answers"),
}


def turn_of(claim: Claim, form: str) -> Commit:
    turn = Commit(claim, "turn", b"state", acceptance=Acceptance("web", 1, Accepted(1), Reply(b"reply")))
    if form == "an answer":
        return turn
    turn = replace(turn, outbox=(b"item",), numbers=OutboxNumbers("a1", ("B/1",)))
    if form == "tells":
        return turn
    return replace(
        turn, record=record_of("key"), parking=ParkingChange(appended=(b"entry",)), suspension=SUSPENDED
    )


@pytest.mark.parametrize(("form", "part"), [(form, part) for form, parts in FORMS.items() for part in parts])
async def test_another_programs_key_in_the_way_fails_the_whole_commit(
    redis_url: str, form: str, part: str
) -> None:
    store = await RedisStore.connect(redis_url, Events())
    claim = await store.claim(actor(), "mine")
    keys = Keys("ba")
    in_the_way = {
        "outbox": keys.outbox(actor()),
        "dirty": keys.dirty(actor()),
        "senders": keys.senders(actor()),
        "answers": keys.answers(actor(), "web"),
        "parking": keys.parking(actor()),
        "parked": keys.parked(actor()),
        "parked_bytes": keys.parked_bytes(actor()),
        "suspended": keys.suspended(actor()),
        "targets": keys.targets(actor()),
    }[part]

    turn = turn_of(claim, form)
    async with Redis.from_url(redis_url) as redis:
        # The only string of ours takes something else to be in the way.
        await (redis.sadd(in_the_way, "not ours") if part == "parked_bytes" else redis.set(in_the_way, "-"))
        with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
            await store.commit(turn)
        await redis.delete(in_the_way)
    await _is_untouched(store)
    assert await store.commit(turn) == Committed()
    await store.close()


@pytest.mark.parametrize("seconds", [0, -1, 0.5, float("nan")])
async def test_a_retention_redis_would_refuse_fails_the_whole_commit(redis_url: str, seconds: float) -> None:
    store = await RedisStore.connect(redis_url, Events())
    claim = await store.claim(actor(), "mine")
    record = replace(record_of("key"), retention_seconds=seconds)  # type: ignore[arg-type] # a bug of ours
    with pytest.raises(StoreUnavailableError, match="retention"):
        await store.commit(Commit(claim, "turn", b"state", record, (b"item",)))
    await _is_untouched(store)
    await store.close()


async def _is_untouched(store: RedisStore) -> None:
    assert dict(await store.outbox(actor())) == {}
    assert await store.look_up(actor(), "key", b"digest") == Fresh()
    after = await store.claim(actor(), "mine")
    assert (after.version, after.state, dict(after.senders)) == (0, None, {})
    assert await store.answered(actor(), "web", 1) is None
    assert await store.parking(actor()) == []
    assert await store.suspended("Counter") == []
    assert await store.parked("Counter", due_before_ms=NEVER_MS) == []
