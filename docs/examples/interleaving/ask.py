"""A hundred slow questions at a time, and an answer in between."""

import asyncio
import time

from rates import Rates, RatesRef

from broker_actors import ActorSystem, BrokerActorsError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Rates):
        rates = system.ref(RatesRef, "today")
        await rates.set("USD", 0.9)

        began = time.monotonic()
        slow = [asyncio.ensure_future(rates.rate(f"X{n:02}")) for n in range(100)]
        print("USD meanwhile:", await rates.rate("USD"))
        print("of the others:", sum(await asyncio.gather(*slow)))
        print("in less than half the time they take one by one:", time.monotonic() - began < 10)

        print("set later:", await asyncio.gather(rates.rate("CHF"), rates.set("CHF", 1.1)))
        try:
            await rates.forget("USD")
        except BrokerActorsError as error:
            print("refused:", type(error).__name__)


if __name__ == "__main__":
    asyncio.run(main())
