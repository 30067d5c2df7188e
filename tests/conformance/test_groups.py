"""Every store: groups of actors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest

from broker_actors.adapters.memory import groups as memory_groups
from broker_actors.adapters.memory.groups import MemoryGroups
from broker_actors.adapters.redis import groups as redis_groups
from broker_actors.adapters.redis.groups import RedisGroups
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.errors import PlatformError
from broker_actors.core.group import GroupName
from broker_actors.ports.groups import GROUP_PAGE_MAX, Groups
from tests.conformance.stores import DEPLOYMENTS, Events, url_of

ONLINE = GroupName("Player", "online")
#: Everything that might confuse a key or an order.
AWKWARD = ["a", "a:b", "{a}", "(a", "[a", "-", "+", "Ä", "z", "\N{SNOWMAN}", "\U0001f40d"]

Connect: TypeAlias = Callable[[], Awaitable[Groups]]


@pytest.fixture(params=DEPLOYMENTS)
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Return how to connect to one fresh store, as another process would."""
    async with AsyncExitStack() as stack:
        memory = MemoryGroups()
        url = "" if request.param == "memory" else url_of(request)

        async def open_one() -> Groups:
            groups = RedisGroups(RedisSettings(url), Events()) if url else memory
            stack.push_async_callback(groups.close)
            return groups

        yield open_one


async def test_a_group_nobody_joined_has_no_members(connect: Connect) -> None:
    assert list(await (await connect()).members(ONLINE)) == []


async def test_who_joins_is_a_member_for_everybody_until_leaving(connect: Connect) -> None:
    one, other = await connect(), await connect()
    await one.join(ONLINE, ["bob", "alice"])
    await one.join(ONLINE, ["alice", "carol", "carol"])
    assert list(await other.members(ONLINE)) == ["alice", "bob", "carol"]
    await other.leave(ONLINE, ["bob", "nobody"])
    await other.leave(ONLINE, ["bob"])
    assert list(await one.members(ONLINE)) == ["alice", "carol"]
    await one.leave(ONLINE, ["alice", "carol"])
    assert list(await one.members(ONLINE)) == []


async def test_nobody_joins_or_leaves(connect: Connect) -> None:
    groups = await connect()
    await groups.join(ONLINE, [])
    await groups.leave(ONLINE, [])
    assert list(await groups.members(ONLINE)) == []


async def test_groups_of_another_name_or_type_are_others(connect: Connect) -> None:
    groups = await connect()
    names = [ONLINE, GroupName("Player", "offline"), GroupName("Robot", "online"), GroupName("Player", "o:n")]
    for name in names:
        await groups.join(name, [str(name)])
    assert [list(await groups.members(name)) for name in names] == [[str(name)] for name in names]


async def test_members_are_read_in_pages_in_the_order_of_their_ids(connect: Connect) -> None:
    groups = await connect()
    await groups.join(ONLINE, AWKWARD)
    found: list[str] = []
    while page := await groups.members(ONLINE, after=found[-1] if found else "", limit=3):
        assert len(page) <= 3
        found += page
    assert found == sorted(AWKWARD)


async def test_a_page_is_only_short_when_there_are_no_more(connect: Connect) -> None:
    groups = await connect()
    ids = [f"p{n:04}" for n in range(GROUP_PAGE_MAX + 1)]
    await groups.join(ONLINE, ids[:GROUP_PAGE_MAX])
    await groups.join(ONLINE, ids[GROUP_PAGE_MAX:])
    assert list(await groups.members(ONLINE)) == ids[:GROUP_PAGE_MAX]
    assert list(await groups.members(ONLINE, after=ids[GROUP_PAGE_MAX - 1])) == ids[GROUP_PAGE_MAX:]


async def test_a_full_group_takes_all_of_those_who_join_together_or_none(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memory_groups, redis_groups):
        monkeypatch.setattr(module, "GROUP_MEMBERS_MAX", 3)
    groups = await connect()
    await groups.join(ONLINE, ["a", "b"])
    with pytest.raises(PlatformError, match="Player/online"):
        await groups.join(ONLINE, ["b", "c", "d"])
    assert list(await groups.members(ONLINE)) == ["a", "b"]
    await groups.join(ONLINE, ["b", "c"])
    await groups.join(ONLINE, ["a", "b", "c"])
    assert list(await groups.members(ONLINE)) == ["a", "b", "c"]


async def test_many_join_at_once(connect: Connect) -> None:
    one, other = await connect(), await connect()
    await asyncio.gather(*((one, other)[n % 2].join(ONLINE, [f"p{n:02}"]) for n in range(40)))
    assert list(await one.members(ONLINE)) == [f"p{n:02}" for n in range(40)]
