"""Time and chance for what is made without an actor system."""

from __future__ import annotations

import asyncio
import random


class LoopTimer:
    """Implements `ports.clock.Timer`: the time of the running loop, which may be virtual, and real dice."""

    def __init__(self) -> None:
        self._dice = random.SystemRandom()

    def monotonic_seconds(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*; after one loop pass when not positive."""
        await asyncio.sleep(max(0.0, seconds))

    def chance(self) -> float:
        """Return a uniform number in [0, 1)."""
        return self._dice.random()
