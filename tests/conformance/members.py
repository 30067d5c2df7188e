"""What the conformance tests of the workers' port run on: every adapter, fresh."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.members import MemoryMembers
from broker_actors.adapters.redis.members import RedisMembers
from broker_actors.core.member import Member, Report
from broker_actors.ports.members import Members
from tests.conformance.stores import ADAPTERS, Events

NOTHING = Report()
#: No lease ends by itself, however slow the machine.
LEASE_SECONDS = 3600


class StoppedClock(SystemClock):
    """Always the same moment."""

    def monotonic_seconds(self) -> float:
        return 1.0


@dataclass
class Deployment:
    """One store of a test's own, as several workers reach it.

    Attributes:
        connect: returns another connection to it, as another process would have.
        expire: ends the lease of a name, as time would.
        save: remembers what the store holds; returns what makes it hold that again.

    """

    connect: Callable[[], Awaitable[Members]]
    expire: Callable[[str], Awaitable[None]]
    save: Callable[[], Awaitable[Callable[[], Awaitable[None]]]]


def worker(name: str, *consuming: str, leaving: bool = False) -> Member:
    """Return a member that runs `Counter`."""
    return Member(name, frozenset({"Counter"}), frozenset(consuming), leaving)


def deploy(adapter: str, url: str, stack: AsyncExitStack) -> Deployment:
    """Return a fresh store of *adapter*; *stack* closes what connects to it."""
    return _in_memory() if adapter == "memory" else _on_redis(url, stack)


@pytest.fixture(params=ADAPTERS)
async def deployment(request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    """Return a fresh store."""
    url = str(request.getfixturevalue("redis_url")) if request.param == "redis" else ""
    async with AsyncExitStack() as stack:
        yield deploy(request.param, url, stack)


def _in_memory() -> Deployment:
    members = MemoryMembers(StoppedClock())

    async def connect() -> Members:
        return members

    async def expire(name: str) -> None:
        if name in members._leases:
            members._leases[name].until_seconds = 0

    async def save() -> Callable[[], Awaitable[None]]:
        leases = {name: replace(lease) for name, lease in members._leases.items()}
        left, holders = set(members._left), dict(members._holders)

        async def restore() -> None:
            members._leases = {name: replace(lease) for name, lease in leases.items()}
            members._left, members._holders = set(left), dict(holders)

        return restore

    return Deployment(connect, expire, save)


def _on_redis(url: str, stack: AsyncExitStack) -> Deployment:
    # Several may share a server: each has a prefix nobody else uses.
    prefix = f"test-{uuid4().hex}"
    redis = Redis.from_url(url)
    stack.push_async_callback(redis.aclose)

    async def connect() -> Members:
        members = await RedisMembers.connect(url, Events(), prefix=prefix, lease_seconds=LEASE_SECONDS)
        stack.push_async_callback(members.close)
        return members

    async def expire(name: str) -> None:
        await redis.zadd(f"{prefix}:{{members}}:leases", {name: 1}, xx=True)

    async def save() -> Callable[[], Awaitable[None]]:
        saved = {key: await redis.dump(key) or b"" for key in await redis.keys(f"{prefix}:*")}

        async def restore() -> None:
            async with redis.pipeline() as pipeline:
                for key in await redis.keys(f"{prefix}:*"):
                    pipeline.delete(key)
                for key, value in saved.items():
                    pipeline.restore(key, 0, value)
                await pipeline.execute()

        return restore

    return Deployment(connect, expire, save)
