"""All sensors of a group, told and asked at once."""

import asyncio

from sensors import Sensor, SensorRef

from broker_actors import ActorSystem, Worker
from broker_actors.patterns import Failed, Ok, TimedOut, broadcast


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Sensor):
        roof = system.group(SensorRef, "roof")
        await roof.join(*(system.ref(SensorRef, side) for side in ("north", "east", "south", "west")))

        sensors = await roof.members()
        told = await broadcast(sensors).tell(Sensor.calibrate, 0.5)
        print("told:", len(told.ok))

        outcomes = await broadcast(sensors, timeout=1).ask(Sensor.read)
        for sensor, outcome in outcomes:
            match outcome:
                case Ok(value):
                    print(f"{sensor}: {value}")
                case Failed(error):
                    print(f"{sensor}: {error}")
                case TimedOut():
                    print(f"{sensor}: too slow")

        await roof.leave(*outcomes.timeouts)
        print("left on the roof:", len(await roof.members()))


if __name__ == "__main__":
    asyncio.run(main())
