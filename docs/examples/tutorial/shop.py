"""A service that has the contract and not the code."""

from contracts import AccountContract

from broker_actors import ActorSystem


async def sell(system: ActorSystem, customer: str, cents: int) -> int:
    return await system.ref(AccountContract, customer).withdraw(cents)
