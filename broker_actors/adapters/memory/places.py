"""Places of limiters inside the process."""

from __future__ import annotations

import asyncio

from broker_actors.core.limiting import Answer, Places, Terms
from broker_actors.ports.clock import Clock

_NONE = Places()


class MemoryPlaces:
    """Implements `ports.places.LimiterPlaces`; shared by the systems of one embedded store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limiters: dict[str, Places] = {}

    async def take(self, limiter: str, holder: str, terms: Terms) -> Answer:
        """Take a place, or wait in the line."""
        await asyncio.sleep(0)
        places, answer = self._limiters.get(limiter, _NONE).take(holder, terms, self._now_ms())
        self._limiters[limiter] = places
        await asyncio.sleep(0)
        return answer

    async def renew(self, limiter: str, holder: str, lease_ms: int) -> bool:
        """Keep the place of *holder*."""
        await asyncio.sleep(0)
        places, kept = self._limiters.get(limiter, _NONE).renew(holder, lease_ms, self._now_ms())
        self._limiters[limiter] = places
        await asyncio.sleep(0)
        return kept

    async def leave(self, limiter: str, holder: str) -> None:
        """Give back what *holder* has."""
        await asyncio.sleep(0)
        self._limiters[limiter] = self._limiters.get(limiter, _NONE).leave(holder, self._now_ms())
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def _now_ms(self) -> int:
        return round(self._clock.monotonic_seconds() * 1000)
