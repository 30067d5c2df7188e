"""Sensors on a roof, of which one is broken and one is slow."""

import asyncio

from broker_actors import BusinessError, Ref, actor, method, turn


@actor
class Sensor:
    """Measures."""

    offset: float = 0.0

    @method
    def calibrate(self, offset: float) -> None:
        self.offset = offset

    @method
    async def read(self) -> float:
        match turn.current().actor_id:
            case "south":
                raise BusinessError("broken", "no signal")
            case "west":
                await asyncio.sleep(60)
        return 20.0 + self.offset


class SensorRef(Sensor, Ref):
    """A typed handle."""
