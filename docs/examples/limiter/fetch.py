"""Ten jobs, and a service that takes two at a time from all of us together."""

import asyncio

from broker_actors import ActorSystem
from broker_actors.patterns import Limiter, Place, each


class Service:
    """Counts how many use it at a time."""

    users = most = 0

    async def use(self, place: Place) -> int:
        self.users += 1
        self.most = max(self.most, self.users)
        await asyncio.sleep(0.01)
        self.users -= 1
        return place.token


async def main() -> None:
    async with ActorSystem.connect() as system:
        limiter: Limiter = system.limiter("license", places=2, lease=30)
        service = Service()

        async def job(_: int) -> int:
            async with limiter as place:
                return await service.use(place)

        tokens = (await each(job, range(10))).values()
        print("done:", len(tokens))
        print("at a time:", service.most)
        print("no token twice:", len(set(tokens)) == len(tokens))


if __name__ == "__main__":
    asyncio.run(main())
