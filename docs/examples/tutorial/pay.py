"""Sends to a bank that runs elsewhere."""

import asyncio

from contracts import AccountContract

from broker_actors import ActorSystem


async def main() -> None:
    async with ActorSystem.connect() as system:  # where the environment says
        print(await system.ref(AccountContract, "mine").withdraw(150))


if __name__ == "__main__":
    asyncio.run(main())
