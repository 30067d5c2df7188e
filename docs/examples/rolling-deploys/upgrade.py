"""Old states in new releases."""

import asyncio

from profiles import ProfileRef, ProfileV1, ProfileV2, ProfileWithout

from broker_actors import ActorSystem, PlatformError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system:
        ada = system.ref(ProfileRef, "ada")
        async with Worker(system, ProfileV1):
            await ada.rename("Ada")
        async with Worker(system, ProfileV2):
            print(await ada.greet())
        async with Worker(system, ProfileWithout):
            try:
                await ada.greet()
            except PlatformError as error:
                print(error)
        async with Worker(system, ProfileV2):
            print(await ada.greet())


if __name__ == "__main__":
    asyncio.run(main())
