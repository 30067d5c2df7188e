"""What others need to know of carts. It has no import of the service's code."""

from dataclasses import dataclass

from broker_actors import Ref, method


@dataclass
class CartLine:
    """One line of a cart, as far as we need it."""

    article: str
    quantity: int


class CartContract(Ref, actor_type="Cart"):
    """Carts, for shops."""

    @method
    def add(self, article: str, quantity: int = 1) -> list[CartLine]:
        raise NotImplementedError
