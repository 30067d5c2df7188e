"""The contract fits the actor. This test lives with the service."""

from cart_contract import CartContract, CartLine
from carts import Cart

from broker_actors.testing import Actors


async def test_every_method_of_the_contract_works(actors: Actors) -> None:
    cart = (await actors(Cart)).ref(CartContract, "ada")
    assert await cart.add("tea", 2) == [CartLine("tea", 2)]
    assert await cart.add("milk") == [CartLine("tea", 2), CartLine("milk", 1)]
