"""What runs off the loop, and how it fails."""

import asyncio

from pictures import Picture, PictureRef

from broker_actors import ActorSystem, BrokerActorsError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Picture):
        picture = system.ref(PictureRef, "cat.png")
        print("in a process:", await picture.fingerprint("cat"))
        print("in a thread:", await picture.size(__file__) > 0)
        for name, call in {
            "writes": picture.count(),
            "never ends": picture.with_options(timeout=1).spin(),
            "dies": picture.crash(),
        }.items():
            try:
                await call
            except BrokerActorsError as error:
                print(f"{name}: {type(error).__name__}")
        print("and goes on:", await picture.look())


if __name__ == "__main__":
    asyncio.run(main())
