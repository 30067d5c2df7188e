"""The shop and the bank, in one process for now."""

import asyncio

from bank import Account, AccountRef
from shop import sell

from broker_actors import ActorSystem, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Account):
        await system.ref(AccountRef, "mine").deposit(1000)
        print(await sell(system, "mine", 150))


if __name__ == "__main__":
    asyncio.run(main())
