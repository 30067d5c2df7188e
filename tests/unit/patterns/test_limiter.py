"""A limiter and those inside it, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from broker_actors.adapters.memory.places import MemoryPlaces
from broker_actors.core.errors import PlaceLostError, PlatformError, StoreUnavailableError
from broker_actors.core.events import Event, Trouble
from broker_actors.core.limiting import Answer, LineFull, Terms
from broker_actors.patterns.limiter import Limiter, LimiterPorts, Place
from tests.unit.patterns.clocks import VirtualClock

LEASE = 30.0


class Places(MemoryPlaces):
    """A store that may be away."""

    away = False
    full = False
    takes = 0

    async def take(self, limiter: str, holder: str, terms: Terms) -> Answer:
        self.takes += 1
        self._check()
        return LineFull() if self.full else await super().take(limiter, holder, terms)

    async def renew(self, limiter: str, holder: str, lease_ms: int) -> bool:
        self._check()
        return await super().renew(limiter, holder, lease_ms)

    async def leave(self, limiter: str, holder: str) -> None:
        self._check()
        await super().leave(limiter, holder)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailableError("away")


class World:
    """A store, and processes with a limiter each."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.places = Places(self.clock)
        self.events: list[Event] = []
        self.order: list[str] = []

    def observe(self, event: Event) -> None:
        self.events.append(event)

    def process(self, places: int = 1) -> Limiter:
        terms = Terms(places, round(LEASE * 1000))
        return Limiter("lim", terms, LimiterPorts(self.places, self.clock, self))

    async def work(self, limiter: Limiter, name: str, seconds: float = 1.0) -> None:
        async with limiter:
            self.order.append(name)
            await self.clock.sleep(seconds)

    @property
    def inside(self) -> int:
        return len(self.places._limiters["lim"].holders)


@pytest.fixture
def world() -> World:
    return World()


async def test_as_many_are_inside_as_there_are_places_and_all_get_in(world: World) -> None:
    one, other = world.process(2), world.process(2)
    async with asyncio.TaskGroup() as group:
        for n in range(6):
            group.create_task(world.work((one, other)[n % 2], f"{n}"))
        await world.clock.settle()
        for _ in range(20):
            assert world.inside <= 2
            await world.clock.advance(0.5)
    assert sorted(world.order) == [f"{n}" for n in range(6)]
    assert world.inside == 0


async def test_who_waits_in_one_process_is_served_in_order_as_soon_as_a_place_is_given_back(
    world: World,
) -> None:
    limiter = world.process()
    async with asyncio.TaskGroup() as group:
        for name in "abcd":
            group.create_task(world.work(limiter, name, 1.0))
        for n in range(4):
            await world.clock.settle()
            # Not when it would have asked again.
            assert world.order == list("abcd")[: n + 1]
            await world.clock.advance(1.0)


async def test_one_process_with_many_does_not_starve_one_with_a_single(world: World) -> None:
    crowd, single = world.process(), world.process()
    async with asyncio.TaskGroup() as group:
        for n in range(5):
            group.create_task(world.work(crowd, f"crowd{n}"))
        await world.clock.advance(0.1)
        group.create_task(world.work(single, "single"))
        await world.clock.advance(30)
    assert world.order.index("single") <= 2


async def test_a_place_is_kept_as_long_as_the_work_takes(world: World) -> None:
    one, other = world.process(), world.process()
    async with asyncio.TaskGroup() as group:
        group.create_task(world.work(one, "long", 10 * LEASE))
        await world.clock.settle()
        group.create_task(world.work(other, "next"))
        await world.clock.advance(10 * LEASE - 1)
        assert world.order == ["long"]
        await world.clock.advance(5)
    assert world.order == ["long", "next"]


async def test_a_holder_that_cannot_renew_is_ended_and_told_before_another_begins(world: World) -> None:
    one, other = world.process(), world.process()
    working = asyncio.create_task(world.work(one, "cut off", 10 * LEASE))
    await world.clock.settle()
    world.places.away = True
    await world.clock.advance(LEASE + 1)
    with pytest.raises(PlaceLostError, match="'lim': the lease ran out"):
        await working
    assert any(isinstance(event, Trouble) for event in world.events)
    world.places.away = False
    async with asyncio.TaskGroup() as group:
        group.create_task(world.work(other, "next"))
        await world.clock.advance(5)
    assert world.order == ["cut off", "next"]


async def test_a_holder_whose_lease_ran_out_unnoticed_is_told_at_its_next_renewal(world: World) -> None:
    """As a process that was frozen, while somebody else took its place."""
    one = world.process()
    working = asyncio.create_task(world.work(one, "frozen", 10 * LEASE))
    await world.clock.settle()
    world.places._limiters.clear()
    await world.clock.advance(LEASE / 3 + 1)
    with pytest.raises(PlaceLostError):
        await working


async def test_work_that_ends_after_its_place_was_lost_is_told(world: World) -> None:
    """Even if it does not let itself be cancelled."""
    place: Place | None = None

    async def stubborn() -> None:
        nonlocal place
        async with world.process() as place:
            world.places._limiters.clear()
            try:
                await world.clock.sleep(10 * LEASE)
            except asyncio.CancelledError:
                with pytest.raises(PlaceLostError):
                    place.check()

    working = asyncio.create_task(stubborn())
    await world.clock.advance(LEASE)
    with pytest.raises(PlaceLostError):
        await working


async def test_work_that_goes_on_after_its_process_was_frozen_is_told_before_anything_else(
    world: World,
) -> None:
    """No renewal and no timer had its turn yet."""

    async def frozen() -> None:
        async with world.process() as place:
            world.clock.now_seconds += LEASE - 1
            place.check()
            world.clock.now_seconds += 1
            with pytest.raises(PlaceLostError):
                place.check()

    with pytest.raises(PlaceLostError):
        await frozen()


async def test_an_error_of_the_work_is_what_its_caller_sees_and_the_place_is_free(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        async with world.process():
            _ = 1 / 0
    assert world.inside == 0


async def test_a_timeout_of_the_work_is_its_own(world: World) -> None:
    with pytest.raises(TimeoutError):
        async with world.process():
            raise TimeoutError
    assert world.inside == 0


async def test_who_is_cancelled_while_waiting_or_working_leaves_nothing_behind(world: World) -> None:
    limiter = world.process()
    working, waiting, later = (asyncio.create_task(world.work(limiter, name)) for name in "abc")
    await world.clock.settle()
    for task in (later, waiting, working):
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    places = world.places._limiters["lim"]
    assert (dict(places.holders), dict(places.waiting)) == ({}, {})
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_place_that_cannot_be_given_back_ends_by_itself(world: World) -> None:
    one, other = world.process(), world.process()
    async with one:
        world.places.away = True
    assert isinstance(world.events[-1], Trouble)
    world.places.away = False
    async with asyncio.TaskGroup() as group:
        group.create_task(world.work(other, "next"))
        await world.clock.advance(LEASE - 1)
        assert world.order == []
        await world.clock.advance(5)
    assert world.order == ["next"]


async def test_who_cannot_get_in_hears_why(world: World) -> None:
    world.places.away = True
    with pytest.raises(StoreUnavailableError):
        async with world.process():
            raise AssertionError
    world.places.away, world.places.full = False, True
    with pytest.raises(PlatformError, match="too many wait"):
        async with world.process():
            raise AssertionError


async def test_one_task_may_hold_several_places(world: World) -> None:
    limiter = world.process(2)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(limiter)
        second = await stack.enter_async_context(limiter)
        assert second.token > first.token
        assert world.inside == 2
    assert world.inside == 0
