"""Stores that have the reply channels, too: what the conformance tests of commits that answer run on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.replies import MemoryChannels, MemoryReplies
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.redis.replies import RedisReplies
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.ports.replies import Replies
from broker_actors.ports.store import Store
from tests.conformance.stores import ADAPTERS, Events, Inbox


class Answering:
    """A store, and the channels it has."""

    def __init__(self, store: Store, replies: Replies) -> None:
        self.store = store
        self._replies = replies

    async def listen(self, name: str) -> Inbox:
        """Open the channel *name* and return what arrives there."""
        inbox = Inbox()
        await self._replies.open(name, inbox.on_reply, inbox.on_loss)
        return inbox


@pytest.fixture(params=ADAPTERS)
async def answering(request: pytest.FixtureRequest) -> AsyncIterator[Answering]:
    """Open a fresh store that has the channels, too."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            channels = MemoryChannels()
            store: Store = MemoryStore(SystemClock(), channels)
            replies: Replies = MemoryReplies(channels, Events())
        else:
            url = str(request.getfixturevalue("redis_url"))
            store, replies = (
                await RedisStore.connect(url, Events()),
                RedisReplies(RedisSettings(url), Events()),
            )
        stack.push_async_callback(store.close)
        stack.push_async_callback(replies.close)
        yield Answering(store, replies)
