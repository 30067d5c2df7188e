"""An actor with reminders, in a module a worker process can be given."""

from __future__ import annotations

from broker_actors import BusinessError, Ref, Retry, actor, method, turn
from broker_actors.schedules import cron, every, forget, remind, reminders

ONCE = Retry(attempts=1)


@actor(partitions=2)
class Bell:
    """Rings when it is reminded."""

    rings: list[str]

    def __init__(self) -> None:
        self.rings = []

    @method
    async def ring_every(self, seconds: float, text: str, missed: str = "once") -> None:
        await remind("ring", every(seconds, missed=missed), self.ring, text)

    @method
    async def ring_at(self, line: str, zone: str, missed: str = "once") -> None:
        await remind("ring", cron(line, zone, missed=missed), self.ring, "by the clock")

    @method
    async def ring_and_fail(self, seconds: float) -> None:
        await remind("ring", every(seconds), self.ring, "never")
        raise BusinessError("changed_my_mind")

    @method
    async def stumble_every(self, seconds: float) -> None:
        await remind("ring", every(seconds), self.stumble)

    @method
    def ring(self, text: str) -> None:
        self.rings.append(text)

    @method.options(retry=ONCE)
    def stumble(self) -> None:
        text = f"{turn.current().idempotency_key}"
        raise RuntimeError(text)

    @method
    async def silence(self) -> bool:
        return await forget("ring")

    @method
    async def plans(self) -> list[str]:
        return [f"{one.name}: {one.method} {one.rhythm}, missed: {one.missed}" for one in await reminders()]

    @method
    def rung(self) -> list[str]:
        return self.rings


class BellRef(Bell, Ref):
    """Typed handle."""
