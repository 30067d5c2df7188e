"""Asks and tells inside turns."""

import asyncio

from warehouse import Article, ArticleRef, Customer, CustomerRef, Order, OrderRef

from broker_actors import ActorSystem, BrokerActorsError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Article, Customer, Order):
        print("left:", await system.ref(OrderRef, "o1").place("tea", 2))
        for name, attempt in {
            "refused": system.ref(OrderRef, "o2").place("tea", 2),
            "too early": system.ref(OrderRef, "o3").place_and_check("tea", 1),
            "in a circle": system.ref(ArticleRef, "tea").reserve_for("o4", 0),
        }.items():
            try:
                await attempt
            except BrokerActorsError as error:
                print(f"{name}: {type(error).__name__}, {error}")
        print(await system.ref(CustomerRef, "ada").inbox())


if __name__ == "__main__":
    asyncio.run(main())
