"""Actors call actors."""

import asyncio

from bank import Account, AccountRef
from transfers import Transfer, TransferRef

from broker_actors import ActorSystem, BusinessError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Account, Transfer):
        mine, yours = system.ref(AccountRef, "mine"), system.ref(AccountRef, "yours")
        await mine.deposit(1000)
        for _ in range(2):
            await system.ref(TransferRef, "t1").execute("mine", "yours", 300)
        print(await mine.balance(), await yours.balance())
        try:
            await system.ref(TransferRef, "t2").execute("mine", "yours", 5000)
        except BusinessError as error:
            print(error.code)
        print(await mine.balance(), await yours.balance())


if __name__ == "__main__":
    asyncio.run(main())
