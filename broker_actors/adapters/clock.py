"""The real clock and the real dice."""

from __future__ import annotations

import asyncio
import random
import secrets
import time


class SystemClock:
    """Implements `ports.clock.Clock` with the machine's own time and entropy."""

    def __init__(self) -> None:
        self._jitter = random.SystemRandom()

    def now_ms(self) -> int:
        """Return the wall clock in Unix milliseconds."""
        return time.time_ns() // 1_000_000

    #: Asked many times for each message, so there is nothing in between.
    monotonic_seconds = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*; after one loop pass when not positive."""
        await asyncio.sleep(max(0.0, seconds))

    def chance(self) -> float:
        """Return a uniform number in [0, 1)."""
        return self._jitter.random()

    def token(self) -> str:
        """Return 32 random hexadecimal characters."""
        return secrets.token_hex(16)
