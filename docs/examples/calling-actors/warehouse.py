"""An order that reserves goods and tells its customer."""

from broker_actors import BusinessError, Ref, actor, method, turn


@actor
class Article:
    """The stock of one article."""

    stock: int = 3

    @method
    def reserve(self, quantity: int) -> int:
        if quantity > self.stock:
            raise BusinessError("out_of_stock", f"{self.stock} in stock")
        self.stock -= quantity
        return self.stock

    @method
    async def reserve_for(self, order: str, quantity: int) -> int:
        left = self.reserve(quantity)  # on `self` it is a plain function call
        await turn.current().ref(OrderRef, order).place("tea", quantity)  # and that one waits for us
        return left


class ArticleRef(Article, Ref):
    """A typed handle on an article."""


@actor
class Customer:
    """What one customer was told."""

    messages: list[str]

    def __init__(self) -> None:
        self.messages = []

    @method
    def inform(self, text: str) -> None:
        self.messages.append(text)

    @method
    def inbox(self) -> list[str]:
        return self.messages


class CustomerRef(Customer, Ref):
    """A typed handle on a customer."""


@actor
class Order:
    """One order."""

    placed: int = 0

    @method
    async def place(self, article: str, quantity: int) -> int:
        this = turn.current()
        left = (
            await this.ref(ArticleRef, article).with_options(idempotency_key=this.actor_id).reserve(quantity)
        )
        self.placed = quantity
        await this.ref(CustomerRef, "ada").inform.tell(f"{quantity} {article} ordered")
        return left

    @method
    async def place_and_check(self, article: str, quantity: int) -> list[str]:
        await self.place(article, quantity)
        return await turn.current().ref(CustomerRef, "ada").inbox()  # too early: the tell has not left


class OrderRef(Order, Ref):
    """A typed handle on an order."""
