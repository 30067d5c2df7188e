"""The three ways to send a message."""

import asyncio

from bank import Account, AccountRef

from broker_actors import ActorSystem, AskTimeoutError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Account):
        mine = system.ref(AccountRef, "mine")
        await mine.deposit.tell(500)  # returns when the broker has it on disk
        await mine.deposit.tell_after(3600, 500)  # arrives in an hour
        print(await mine.balance())  # runs after the tell, which was sent before it
        try:
            await mine.with_options(timeout=0.000_001).balance()
        except AskTimeoutError as error:
            print(error)


if __name__ == "__main__":
    asyncio.run(main())
