"""Every store: how often the run of a suspect began."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.address import Address, bucket_of
from broker_actors.ports.store import CHARGES_KEPT_SECONDS, Store
from tests.conformance.stores import ADAPTERS, Events, OpenStore, actor


@dataclass
class Aging:
    """A store that can be made older."""

    store: Store
    age: Callable[[int], Awaitable[None]]


class LateClock(SystemClock):
    """The machine's time, and as much later as told."""

    def __init__(self) -> None:
        super().__init__()
        self.late_seconds = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.late_seconds * 1000


@pytest.fixture(params=ADAPTERS)
async def aging(request: pytest.FixtureRequest) -> AsyncIterator[Aging]:
    if request.param == "memory":
        clock = LateClock()

        async def be_late(seconds: int) -> None:
            clock.late_seconds += seconds

        yield Aging(MemoryStore(clock), be_late)
        return
    url = str(request.getfixturevalue("redis_url"))
    store = await RedisStore.connect(url, Events())

    async def expire(seconds: int) -> None:
        async with Redis.from_url(url) as redis:
            for key in await redis.keys("ba:*:c:*"):
                await redis.pexpire(key, await redis.pttl(key) - seconds * 1000)

    yield Aging(store, expire)
    await store.close()


async def test_each_charge_counts_one_more_run(store: Store) -> None:
    assert [await store.charge(actor(), "m1") for _ in range(3)] == [1, 2, 3]


async def test_charges_are_seen_by_the_next_worker(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    await first.charge(actor(), "m1")
    assert await second.charge(actor(), "m1") == 2


async def test_charges_at_once_all_count(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    counts = await asyncio.gather(*(s.charge(actor(), "m1") for s in stores for _ in range(5)))
    assert sorted(counts) == list(range(1, 16))


async def test_a_discharged_envelope_begins_anew(store: Store) -> None:
    await store.charge(actor(), "m1")
    await store.discharge(actor(), "m1")
    await store.discharge(actor(), "m1")
    assert await store.charge(actor(), "m1") == 1


async def test_some_charges_may_be_kept(store: Store) -> None:
    for _ in range(3):
        await store.charge(actor(), "m1")
    for _ in range(2):
        await store.discharge(actor(), "m1", keep=2)
    assert await store.charge(actor(), "m1") == 3


async def test_charges_that_are_kept_are_forgotten_some_time_after(aging: Aging) -> None:
    await aging.store.discharge(actor(), "m1", keep=2)
    await aging.age(CHARGES_KEPT_SECONDS - 60)
    assert await aging.store.charge(actor(), "m1") == 3
    await aging.store.discharge(actor(), "m1", keep=2)
    await aging.age(CHARGES_KEPT_SECONDS + 60)
    assert await aging.store.charge(actor(), "m1") == 1


async def test_an_envelope_nobody_charged_may_be_discharged(store: Store) -> None:
    await store.discharge(actor(), "m1")
    assert await store.charge(actor(), "m1") == 1


async def test_charges_are_forgotten_some_time_after_the_last(aging: Aging) -> None:
    for count in (1, 2, 3):
        assert await aging.store.charge(actor(), "m1") == count
        await aging.age(CHARGES_KEPT_SECONDS - 60)
    await aging.age(120)
    assert await aging.store.charge(actor(), "m1") == 1


async def test_charges_belong_to_one_envelope_of_one_actor(store: Store) -> None:
    suspects: list[tuple[Address, str]] = [
        (actor("one"), "m1"),
        (actor("one"), "m2"),
        (actor("two"), "m1"),
        (actor("one", "Other"), "m1"),
    ]
    for address, identity in suspects:
        assert await store.charge(address, identity) == 1
    await store.discharge(*suspects[0])
    assert [await store.charge(*suspect) for suspect in suspects] == [1, 2, 2, 2]


async def test_an_id_and_an_identity_never_run_together(store: Store) -> None:
    """Also where both ids live in one bucket, so that only the rest of the names tells them apart."""
    short = actor("a")
    long = next(a for n in range(10_000) if bucket_of(a := actor(f"a:{n}")) == bucket_of(short))
    await store.charge(long, "m1")
    assert await store.charge(short, f"{long.id.removeprefix('a:')}:m1") == 1


@pytest.mark.parametrize(
    "identity", ["", " ", "{}", "ключ 🦊", "a\nb\r\n", "x" * 100, "x" * 101, "x" * 10_000, "ä" * 60]
)
async def test_an_identity_may_be_any_text(store: Store, identity: str) -> None:
    assert await store.charge(actor(), identity) == 1
    assert await store.charge(actor(), f"{identity}!") == 1
    assert await store.charge(actor(), identity) == 2
    await store.discharge(actor(), identity)
    assert await store.charge(actor(), identity) == 1
    assert await store.charge(actor(), f"{identity}!") == 2


async def test_a_charge_above_the_bound_is_told_and_not_counted(store: Store) -> None:
    assert [await store.charge(actor(), "m1", at_most=2) for _ in range(4)] == [1, 2, 3, 3]
    assert await store.charge(actor(), "m1", at_most=3) == 3
    assert await store.charge(actor(), "m1", at_most=3) == 4
