"""Every store: places of limiters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import ModuleType

import pytest
from redis.asyncio import Redis, RedisCluster

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.places import MemoryPlaces
from broker_actors.adapters.redis import places as redis_places
from broker_actors.adapters.redis.places import RedisPlaces
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core import limiting
from broker_actors.core.limiting import Answer, Granted, LineFull, Terms, Waits
from broker_actors.ports.places import LimiterPlaces
from tests.conformance.stores import DEPLOYMENTS, Events, url_of

#: No lease ends by itself, however slow the machine.
ONE, TWO = Terms(1, 3_600_000), Terms(2, 3_600_000)


@dataclass
class Deployment:
    """One fresh store.

    Attributes:
        connect: returns another connection to it, as another process would have.
        expire: ends what a holder has in the limiter `lim`, as time would.

    """

    connect: Callable[[], Awaitable[LimiterPlaces]]
    expire: Callable[[str], Awaitable[None]]


@pytest.fixture(params=DEPLOYMENTS)
async def deployment(request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield _in_memory()
        else:
            yield _on_redis(url_of(request), stack, is_cluster=request.param == "cluster")


def _in_memory() -> Deployment:
    memory = MemoryPlaces(SystemClock())

    async def connect() -> LimiterPlaces:
        return memory

    async def expire(holder: str) -> None:
        places = memory._limiters["lim"]
        if holder in places.holders:
            ended = replace(places.holders[holder], until_ms=0)
            memory._limiters["lim"] = replace(places, holders={**places.holders, holder: ended})
        else:
            memory._limiters["lim"] = replace(places, waiting={**places.waiting, holder: 0})

    return Deployment(connect, expire)


def _on_redis(url: str, stack: AsyncExitStack, *, is_cluster: bool) -> Deployment:
    redis: Redis | RedisCluster = RedisCluster.from_url(url) if is_cluster else Redis.from_url(url)
    stack.push_async_callback(redis.aclose)

    async def connect() -> LimiterPlaces:
        places = RedisPlaces(RedisSettings(url), Events())
        stack.push_async_callback(places.close)
        return places

    async def expire(holder: str) -> None:
        for field in (f"h:{holder}", f"w:{holder}"):
            value = await redis.hget("ba:limiter:lim", field)
            if value is not None:
                token = value.decode().partition(":")[0] if isinstance(value, bytes) else ""
                await redis.hset("ba:limiter:lim", field, f"{token}:1")

    return Deployment(connect, expire)


async def take(places: LimiterPlaces, *holders: str, terms: Terms = ONE) -> list[Answer]:
    return [await places.take("lim", holder, terms) for holder in holders]


def token_of(answer: Answer) -> int:
    assert isinstance(answer, Granted)
    return answer.token


async def test_who_comes_first_is_first_in_all_processes_together(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    assert token_of((await take(one, "a"))[0]) > 0
    assert await take(other, "b") == [Waits(0)]
    assert await take(one, "c", "c", "c") == [Waits(1)] * 3
    await one.leave("lim", "a")
    assert await take(one, "c") == [Waits(1)]
    assert isinstance((await take(other, "b"))[0], Granted)


async def test_as_many_are_inside_as_there_are_places(deployment: Deployment) -> None:
    one = await deployment.connect()
    first, second, third = await take(one, "a", "b", "c", terms=TWO)
    assert token_of(second) > token_of(first)
    assert third == Waits(0)
    await one.leave("lim", "b")
    assert token_of((await take(one, "c", terms=TWO))[0]) > token_of(second)


async def test_asking_again_changes_nothing(deployment: Deployment) -> None:
    """A lost answer is asked for again."""
    one = await deployment.connect()
    first, again = await take(one, "a", "a")
    assert again == first
    await take(one, "b")
    await one.leave("lim", "a")
    await one.leave("lim", "a")
    first, again = await take(one, "b", "b")
    assert again == first


async def test_a_lease_that_ran_out_is_free_and_its_holder_is_told(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    (first,) = await take(one, "a")
    assert await take(other, "b") == [Waits(0)]
    assert await one.renew("lim", "a", 3_600_000)
    await deployment.expire("a")
    (second,) = await take(other, "b")
    assert token_of(second) > token_of(first)
    assert not await one.renew("lim", "a", 3_600_000)
    assert await take(one, "a") == [Waits(0)]


async def test_a_lease_that_ran_out_is_not_renewed_even_if_nobody_else_wants_it(
    deployment: Deployment,
) -> None:
    one = await deployment.connect()
    (first,) = await take(one, "a")
    await deployment.expire("a")
    assert not await one.renew("lim", "a", 3_600_000)
    (second,) = await take(one, "a")
    assert token_of(second) > token_of(first)


async def test_who_waited_and_died_holds_up_nobody(deployment: Deployment) -> None:
    one = await deployment.connect()
    assert await take(one, "a", "dead", "b") != []
    await deployment.expire("dead")
    await one.leave("lim", "a")
    assert isinstance((await take(one, "b"))[0], Granted)


async def test_who_leaves_the_line_holds_up_nobody(deployment: Deployment) -> None:
    one = await deployment.connect()
    await take(one, "a", "impatient", "b")
    await one.leave("lim", "impatient")
    await one.leave("lim", "a")
    assert isinstance((await take(one, "b"))[0], Granted)


async def test_nobody_renews_or_leaves_what_it_has_not(deployment: Deployment) -> None:
    one = await deployment.connect()
    assert not await one.renew("lim", "nobody", 1_000)
    await one.leave("lim", "nobody")
    await take(one, "a", "b")
    assert not await one.renew("lim", "b", 1_000)
    assert await take(one, "b") == [Waits(0)]


async def test_limiters_of_other_names_are_others(deployment: Deployment) -> None:
    one = await deployment.connect()
    for name in ("lim", "lim:2", "{lim}", "Ä"):
        assert isinstance(await one.take(name, "a", ONE), Granted)


async def test_a_line_that_is_too_long_is_closed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules: tuple[ModuleType, ...] = (limiting, redis_places)
    for module in modules:
        monkeypatch.setattr(module, "WAITING_MAX", 2)
    one = await deployment.connect()
    assert (await take(one, "a", "b", "c", "d", "c"))[1:] == [Waits(0), Waits(1), LineFull(), Waits(1)]


async def test_of_many_who_ask_at_once_so_many_get_a_place(deployment: Deployment) -> None:
    connections = [await deployment.connect() for _ in range(3)]
    answers = await asyncio.gather(*(connections[n % 3].take("lim", f"w{n}", TWO) for n in range(30)))
    granted = [answer for answer in answers if isinstance(answer, Granted)]
    assert len(granted) == len({answer.token for answer in granted}) == 2
    assert sorted(answer.ahead for answer in answers if isinstance(answer, Waits)) == list(range(28))
