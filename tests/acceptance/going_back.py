"""Stores that stop and come back: as they were when they stopped, or as they were before that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import TypeAlias

from redis.asyncio import Redis

from broker_actors.adapters.memory.actors import MemoryActor
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.ports.clock import Clock
from tests.servers import RedisServer


class MortalMemory(MemoryStore):
    """The embedded store."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._clock_of_runs = clock

    async def restart(self) -> None:
        """Come back as another run, with everything."""
        self._origin = self._clock_of_runs.token()

    @asynccontextmanager
    async def going_back(self, actor_type: str) -> AsyncIterator[None]:
        """Come back without what happens meanwhile to actors of *actor_type*."""
        before = deepcopy(self._of(actor_type))
        yield
        for address in self._of(actor_type):
            del self._actors[address]
        self._actors |= before
        await self.restart()

    def _of(self, actor_type: str) -> dict[Address, MemoryActor]:
        return {address: one for address, one in self._actors.items() if address.type == actor_type}


class MortalRedis:
    """A private Redis."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    async def restart(self) -> None:
        """Come back as another run, with everything."""
        await asyncio.to_thread(self._server.restart)

    @asynccontextmanager
    async def going_back(self, actor_type: str) -> AsyncIterator[None]:
        """Come back without what happens meanwhile to actors of *actor_type*."""
        pattern = f"ba:{{{actor_type}:*"
        async with Redis.from_url(self._server.url) as redis:
            before = {key: await redis.dump(key) or b"" async for key in redis.scan_iter(pattern)}
            yield
            async with redis.pipeline(transaction=True) as together:
                async for key in redis.scan_iter(pattern):
                    together.delete(key)
                for key, value in before.items():
                    together.restore(key, 0, value)
                await together.execute()
        await self.restart()


#: A store that can be restarted, and set back.
Mortal: TypeAlias = MortalMemory | MortalRedis
