"""An actor with timers."""

from __future__ import annotations

import asyncio

from broker_actors import BusinessError, Ref, actor, method
from broker_actors.schedules import start_timer, stop_timer


@actor(partitions=1, idle_timeout=300)
class Pulse:
    """Beats while it is in memory."""

    beats: int = 0
    by_name: dict[str, int]
    _overlaps: int = 0
    _running: int = 0

    def __init__(self) -> None:
        self.by_name = {}

    @method
    def begin(self, name: str, seconds: float) -> None:
        start_timer(name, seconds, self.beat, name)

    @method
    def begin_and_fail(self, seconds: float) -> None:
        start_timer("never", seconds, self.beat, "never")
        raise BusinessError("changed_my_mind")

    @method
    def stumble_every(self, seconds: float) -> None:
        start_timer("stumble", seconds, self.stumble)

    @method
    def beat_slowly_every(self, seconds: float) -> None:
        start_timer("slow", seconds, self.beat_slowly)

    @method
    def beat(self, name: str) -> None:
        self.beats += 1
        self.by_name[name] = self.by_name.get(name, 0) + 1

    @method
    def beat_thrice(self) -> None:
        self.beats += 1
        if self.beats >= 3:
            stop_timer("thrice")

    @method
    def begin_thrice(self, seconds: float) -> None:
        start_timer("thrice", seconds, self.beat_thrice)

    @method
    async def beat_slowly(self) -> None:
        self._running += 1
        self._overlaps += self._running > 1
        await asyncio.sleep(0.001)
        self._running -= 1
        self.beats += 1

    @method
    def stumble(self) -> None:
        text = "no"
        raise RuntimeError(text)

    @method
    def end(self, name: str) -> None:
        stop_timer(name)

    @method
    def counted(self) -> dict[str, int]:
        return self.by_name

    @method
    def total(self) -> int:
        return self.beats

    @method
    async def overlaps(self) -> int:
        self._running += 1
        self._overlaps += self._running > 1
        await asyncio.sleep(0)
        self._running -= 1
        return self._overlaps


class PulseRef(Pulse, Ref):
    """Typed handle."""


@actor(partitions=1, delivery="at_least_once")
class Sensor:
    """Polls as soon as it is in memory, and keeps nothing."""

    _polled: int = 0

    def activate(self) -> None:
        start_timer("poll", 10, self.poll)

    @method
    def poll(self) -> None:
        self._polled += 1

    @method
    def read(self) -> int:
        return self._polled


class SensorRef(Sensor, Ref):
    """Typed handle."""
