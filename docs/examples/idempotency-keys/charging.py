"""What a key does, and what it does not."""

import asyncio

from wallets import Wallet, WalletRef

from broker_actors import ActorSystem, BusinessError, SystemFaultError, Worker


async def charge(wallet: WalletRef, key: str, cents: int) -> None:
    try:
        left = await wallet.with_options(idempotency_key=key).charge(cents)
        print(f"{key}: {left} left")
    except BusinessError as error:
        print(f"{key}: refused, {error.code}")
    except SystemFaultError as error:
        print(f"{key}: failed, {error}")


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Wallet):
        ada = system.ref(WalletRef, "ada")
        await charge(ada, "order-1", 30)
        await charge(ada, "order-1", 30)  # replayed
        await charge(ada, "order-1", 40)  # not the same call
        await charge(ada, "order-2", 500)
        await charge(ada, "order-2", 500)  # a refusal is replayed, too
        await ada.set_terminal(works=False)
        await charge(ada, "order-3", 10)
        await ada.set_terminal(works=True)
        await charge(ada, "order-3", 10)  # a fault is not: this one runs
        await charge(system.ref(WalletRef, "bob"), "order-1", 30)  # another actor, another key


if __name__ == "__main__":
    asyncio.run(main())
