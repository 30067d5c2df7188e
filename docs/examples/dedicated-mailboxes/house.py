"""A dedicated actor has no mailbox until it is spawned."""

import asyncio

from lamps import Lamp, LampRef

from broker_actors import ActorSystem, PlatformError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Lamp):
        try:
            await system.ref(LampRef, "hall").switch()
        except PlatformError as error:
            print(f"{type(error).__name__}: {error}")

        hall = await system.spawn(LampRef, "hall")
        await system.spawn(LampRef, "hall")  # as often as you like
        print(await hall.switch())


if __name__ == "__main__":
    asyncio.run(main())
