"""State outlives the worker."""

import asyncio

from bank import Account, AccountRef

from broker_actors import ActorSystem, Worker


async def main() -> None:
    async with ActorSystem.connect() as system:
        mine = system.ref(AccountRef, "mine")
        async with Worker(system, Account):
            print(await mine.deposit(500))
        await mine.deposit.tell(1)  # no worker runs: the message waits in the mailbox
        async with Worker(system, Account):
            print(await mine.balance())


if __name__ == "__main__":
    asyncio.run(main())
