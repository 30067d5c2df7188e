"""The service that runs the carts."""

from dataclasses import dataclass

from broker_actors import Ref, actor, method


@dataclass
class Line:
    """One line of a cart."""

    article: str
    quantity: int


@actor
class Cart:
    """A customer's cart."""

    lines: list[Line]

    def __init__(self) -> None:
        self.lines = []

    @method
    def add(self, article: str, quantity: int = 1, *, note: str = "") -> list[Line]:
        self.lines.append(Line(article + note, quantity))
        return self.lines

    @method
    def clear(self) -> None:
        self.lines = []


class CartRef(Cart, Ref):
    """The handle of those who have the code."""
