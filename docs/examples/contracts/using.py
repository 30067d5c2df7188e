"""Typed and untyped calls without the actor's class."""

import asyncio

from cart_contract import CartContract
from carts import Cart

from broker_actors import ActorSystem, BusinessError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Cart):
        cart = system.ref(CartContract, "ada")
        print(await cart.add("tea", 2))
        try:
            await cart.add("tea", "many")  # type: ignore[arg-type]
        except BusinessError as error:
            print(error)
        print(await system.ref("Cart", "ada").add("milk", note=" (fresh)"))


if __name__ == "__main__":
    asyncio.run(main())
