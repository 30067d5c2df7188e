"""What the conformance tests of the store and of the reply channels run on: every adapter, fresh."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.replies import MemoryChannels, MemoryReplies
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.replies import RedisReplies
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.address import Address
from broker_actors.core.events import Event
from broker_actors.core.reply import Reply
from broker_actors.ports.commit import Claim, Commit, KeyedRecord, OutboxKey
from broker_actors.ports.outbox_numbers import item_index
from broker_actors.ports.replies import Replies
from broker_actors.ports.store import Store
from tests.servers import RedisCluster

ADAPTERS = ("memory", "redis")
#: What has several nodes, too, where that may make a difference.
DEPLOYMENTS = (*ADAPTERS, pytest.param("cluster", marks=pytest.mark.verify))
#: A guard against hanging, not a measurement.
HANG_SECONDS = 20.0

#: Opens another connection to the same store, as another process would.
OpenStore: TypeAlias = Callable[[], Awaitable[Store]]


class Events:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        """Remember *event*."""
        self.seen.append(event)


class ReplyWorld:
    """Clients and workers that share reply channels, and a way to lose a channel."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Replies]],
        lose: Callable[[str], Awaitable[None]],
        events: Events,
    ) -> None:
        self.connect = connect
        self.lose = lose
        self.events = events


class Inbox:
    """What one reply channel delivered."""

    def __init__(self) -> None:
        self.replies: list[tuple[str, Reply]] = []
        self.losses = 0
        self._changed = asyncio.Event()

    def on_reply(self, correlation_id: str, reply: Reply) -> None:
        """Remember a reply."""
        self.replies.append((correlation_id, reply))
        self._changed.set()

    def on_loss(self) -> None:
        """Count a loss."""
        self.losses += 1
        self._changed.set()

    @property
    def ids(self) -> list[str]:
        """The correlation ids, in the order of their arrival."""
        return [correlation_id for correlation_id, _ in self.replies]

    async def wait_for(self, replies: int = 0, losses: int = 0) -> None:
        """Return as soon as there are so many; fail when that takes too long."""
        async with asyncio.timeout(HANG_SECONDS):
            while len(self.replies) < replies or self.losses < losses:
                self._changed.clear()
                await self._changed.wait()


def commit_of(
    claim: Claim, nonce: str, state: bytes | None = b"state", outbox: tuple[bytes, ...] = ()
) -> Commit:
    """Return a commit without a record."""
    return Commit(claim, nonce, state, None, outbox)


def key_of(claim: Claim, version: int, place: int) -> OutboxKey:
    """Return the key of the item at *place* of the commit under *claim* that made *version*."""
    return OutboxKey(version, item_index(claim.epoch, place))


def record_of(
    key: str, digest: bytes = b"digest", body: bytes = b"reply", seconds: int = 3600
) -> KeyedRecord:
    """Return a record as a keyed envelope leaves it."""
    return KeyedRecord(key, digest, Reply(body), seconds)


def actor(actor_id: str = "c1", actor_type: str = "Counter") -> Address:
    """Return an address."""
    return Address(actor_type, actor_id)


def url_of(request: pytest.FixtureRequest) -> str:
    """Return the URL of the store that the parameter names."""
    if request.param == "cluster":
        cluster: RedisCluster = request.getfixturevalue("redis_cluster")
        return cluster.url
    return str(request.getfixturevalue("redis_url"))


@pytest.fixture(params=DEPLOYMENTS)
async def open_store(request: pytest.FixtureRequest) -> AsyncIterator[OpenStore]:
    """Connect to one fresh store, as often as asked."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            memory = MemoryStore(SystemClock())

            async def open_memory() -> Store:
                return memory

            yield open_memory
        else:
            url = url_of(request)

            async def open_redis() -> Store:
                store = await RedisStore.connect(url, Events())
                stack.push_async_callback(store.close)
                return store

            yield open_redis


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    """Return a fresh store."""
    return await open_store()


@pytest.fixture(params=DEPLOYMENTS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[ReplyWorld]:
    """Share fresh reply channels."""
    events = Events()
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield _memory_world(events, stack)
        else:
            yield _redis_world(url_of(request), events, stack)


def _memory_world(events: Events, stack: AsyncExitStack) -> ReplyWorld:
    channels = MemoryChannels()

    async def connect() -> Replies:
        replies = MemoryReplies(channels, events)
        stack.push_async_callback(replies.close)
        return replies

    async def lose(name: str) -> None:
        channels.remove(name)

    return ReplyWorld(connect, lose, events)


def _redis_world(url: str, events: Events, stack: AsyncExitStack) -> ReplyWorld:
    async def connect() -> Replies:
        # A short time to live, so that a lost channel is noticed soon.
        replies = RedisReplies(RedisSettings(url, channel_ttl_seconds=1.5), events)
        stack.push_async_callback(replies.close)
        return replies

    async def lose(name: str) -> None:
        batcher = Batcher(RedisSettings(url), events, "test")
        await batcher.call("DEL", f"ba:reply:{name}")
        await batcher.close()

    return ReplyWorld(connect, lose, events)
