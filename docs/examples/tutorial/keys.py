"""The same key runs once."""

import asyncio

from bank import Account, AccountRef

from broker_actors import ActorSystem, BusinessError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Account):
        mine = system.ref(AccountRef, "mine")
        salary = mine.with_options(idempotency_key="salary-2031-05")
        print(await salary.deposit(1000))
        print(await mine.withdraw(400))
        print(await salary.deposit(1000))  # the recorded reply, nothing runs
        print(await mine.balance())
        try:
            await salary.deposit(2000)
        except BusinessError as error:
            print(error.code)


if __name__ == "__main__":
    asyncio.run(main())
