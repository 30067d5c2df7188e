"""Where turns of a test meet, so that it knows what overlaps without looking at a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Gate:
    """Holds who passes until it is open, and counts who is inside."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    inside: int = 0
    most: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Wait until the gate is open."""
        await self._count(+1)
        try:
            await self.open.wait()
            yield
        finally:
            await self._count(-1)

    async def holds(self, count: int) -> None:
        """Return when so many are inside."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.inside == count)

    async def _count(self, change: int) -> None:
        async with self._changed:
            self.inside += change
            self.most = max(self.most, self.inside)
            self._changed.notify_all()
