"""Places of limiters on Redis: one hash for each limiter, one script, by the store's own clock."""

from __future__ import annotations

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.limiting import (
    PATIENCE_SECONDS,
    WAITING_MAX,
    Answer,
    Granted,
    LineFull,
    Terms,
    Waits,
)
from broker_actors.ports.observer import Observer


class RedisPlaces:
    """Implements `ports.places.LimiterPlaces`; connects when it is first used."""

    def __init__(self, settings: RedisSettings, observer: Observer) -> None:
        self._batcher = Batcher(settings, observer, "limiters")
        self._keys = Keys(settings.prefix)
        self._place = Script.named("place")

    async def take(self, limiter: str, holder: str, terms: Terms) -> Answer:
        """Take a place, or wait in the line."""
        status, number = await self._ask("take", limiter, holder, terms.lease_ms, terms.places)
        if status == b"GRANTED":
            return Granted(number)
        return Waits(number) if status == b"WAITS" else LineFull()

    async def renew(self, limiter: str, holder: str, lease_ms: int) -> bool:
        """Keep the place of *holder*."""
        status, _ = await self._ask("renew", limiter, holder, lease_ms)
        return status == b"GRANTED"

    async def leave(self, limiter: str, holder: str) -> None:
        """Give back what *holder* has."""
        await self._ask("leave", limiter, holder)

    async def close(self) -> None:
        """Give up the connection. Idempotent."""
        await self._batcher.close()

    async def _ask(
        self, what: str, limiter: str, holder: str, lease_ms: int = 0, places: int = 0
    ) -> tuple[bytes, int]:
        answer = await self._batcher.run(
            self._place,
            (self._keys.limiter(limiter),),
            *(what, holder, lease_ms, places),
            *(round(PATIENCE_SECONDS * 1000), WAITING_MAX),
        )
        status, number = to_list(answer, 2)
        return to_bytes(status), to_int(number)
