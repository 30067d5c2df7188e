"""An actor that remembers each of its ticks, in a module a worker process can be given."""

from __future__ import annotations

import time

from broker_actors import Ref, actor, method, turn
from broker_actors.schedules import every, forget, remind


@actor(partitions=4)
class Chime:
    """Strikes every second."""

    struck: list[tuple[int, int]]

    def __init__(self) -> None:
        self.struck = []

    @method
    async def begin(self, missed: str) -> None:
        await remind("strike", every(1, missed=missed), self.strike)

    @method
    def strike(self) -> None:
        key = turn.current().idempotency_key or ""
        self.struck.append((int(key.rpartition("@")[2]), int(time.time() * 1000)))

    @method
    def latest(self) -> int:
        return self.struck[-1][0] if self.struck else 0

    @method
    async def end(self) -> list[tuple[int, int]]:
        """Return when each tick was due, and when it ran, Unix milliseconds."""
        await forget("strike")
        return self.struck


class ChimeRef(Chime, Ref):
    """Typed handle."""
