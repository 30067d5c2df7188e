"""Open a system, run a worker, call an actor."""

import asyncio

from bank import Account, AccountRef

from broker_actors import ActorSystem, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Account):
        mine = system.ref(AccountRef, "mine")
        print(await mine.deposit(500))
        print(await mine.deposit(250))
        print(await system.ref(AccountRef, "yours").balance())


if __name__ == "__main__":
    asyncio.run(main())
