"""Counts one visit, however often it is run."""

import asyncio

from broker_actors import ActorSystem, BusinessError
from workers.counter import CounterRef


async def main() -> None:
    async with ActorSystem.connect() as system:  # where the environment says
        visits = system.ref(CounterRef, "visits")
        print(await visits.with_options(idempotency_key="visit-43").increment())
        print(await visits.total())
        try:
            await visits.increment(-1)
        except BusinessError as error:
            print(error.code, error.details)


if __name__ == "__main__":
    asyncio.run(main())
