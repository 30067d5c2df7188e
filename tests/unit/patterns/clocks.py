"""A clock of a test's own: it moves when everybody sleeps, at once, to when the first of them wakes."""

from __future__ import annotations

import asyncio
import heapq

from broker_actors.adapters.clock import SystemClock


class VirtualClock(SystemClock):
    """Time passes only when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.now_seconds = 1_000.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def monotonic_seconds(self) -> float:
        return self.now_seconds

    def chance(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self.slept.append(seconds)
        self._count += 1
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_seconds + seconds, self._count, waking))
        await waking

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass, and everybody do what they do at each moment of it."""
        until = self.now_seconds + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self.now_seconds, _, waking = heapq.heappop(self._sleepers)
            if not waking.done():
                waking.set_result(None)
                await self.settle()
        self.now_seconds = until
        await self.settle()

    async def settle(self) -> None:
        """Let everybody get to where they wait."""
        for _ in range(50):
            await asyncio.sleep(0)
