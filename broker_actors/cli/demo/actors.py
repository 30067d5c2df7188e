"""The actors of the demo: an order, its stock, its payment, and what the customer is told.

Written the way a user would write them: only what `broker_actors` exports is imported.
Their types begin with `Demo`, so that they cannot meet a user's own on a shared broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker_actors import BusinessError, Ref, Retry, actor, method, turn

#: Short waits, which happen in place: the order behind a failing message stays as it is.
QUICKLY: Final = Retry(attempts=4, min_backoff=0.05, max_backoff=0.2)
#: The bank answers from this attempt on.
BANK_ANSWERS_AT: Final = 3


@dataclass(frozen=True)
class Receipt:
    """Proof of a payment.

    Attributes:
        cents: how much.
        attempt: which attempt succeeded, from 1.

    """

    cents: int
    attempt: int


@actor(name="DemoInventory", partitions=2)
class Inventory:
    """The stock of one article; its id is the article."""

    stock: int = 0

    @method
    def receive(self, quantity: int) -> int:
        """Add a delivery; return what is in stock now."""
        self.stock += quantity
        return self.stock

    @method
    def reserve(self, quantity: int) -> int:
        """Take *quantity* out; return what is left."""
        if quantity > self.stock:
            text = f"{quantity} wanted, {self.stock} in stock"
            raise BusinessError("out_of_stock", text, {"wanted": quantity, "in_stock": self.stock})
        self.stock -= quantity
        return self.stock

    @method
    def count(self) -> int:
        """Return what is in stock."""
        return self.stock


class InventoryRef(Inventory, Ref):
    """A typed handle on an inventory."""


@actor(name="DemoPayment", partitions=2, retry=QUICKLY)
class Payment:
    """The payment of one order; its id is the order."""

    charged_cents: int = 0

    @method
    def charge(self, cents: int) -> Receipt:
        """Charge the customer, through a bank that is unreachable at first.

        Each failed attempt is rolled back, so what it charged before it failed is not kept.
        """
        self.charged_cents += cents
        attempt = turn.current().attempt
        if attempt < BANK_ANSWERS_AT:
            text = f"the bank does not answer (attempt {attempt})"
            raise ConnectionError(text)
        return Receipt(cents, attempt)

    @method
    def charged(self) -> int:
        """Return what the customer was charged in total, in cents."""
        return self.charged_cents


class PaymentRef(Payment, Ref):
    """A typed handle on a payment."""


@actor(name="DemoNotifier", partitions=2, retry=QUICKLY)
class Notifier:
    """What one customer is told; a sink for tells."""

    messages: list[str]

    def __init__(self) -> None:
        self.messages = []

    @method
    def send(self, template: str, fields: Mapping[str, str]) -> None:
        """Send a message; a template whose fields are not all given never succeeds."""
        self.messages.append(template.format(**fields))

    @method
    def sent(self) -> list[str]:
        """Return what was sent, oldest first."""
        return self.messages


class NotifierRef(Notifier, Ref):
    """A typed handle on a notifier."""


@actor(name="DemoOrder", partitions=2, retry=Retry(attempts=1))
class Order:
    """One order, from new over placed and paid to shipped.

    A fault of whom it asks was retried there already, so it ends the order's turn.
    """

    status: str = "new"
    article: str = ""
    quantity: int = 0

    @method
    async def place(self, article: str, quantity: int) -> int:
        """Reserve the goods; return how many of the article are left.

        The tell leaves with this turn's commit: when the inventory refuses, the customer
        hears nothing of an order that was not placed.
        """
        self._require("new")
        self.status, self.article, self.quantity = "placed", article, quantity
        await self._tell_customer(
            "we have your order of {quantity} {article}", quantity=str(quantity), article=article
        )
        return await turn.current().ref(InventoryRef, article).reserve(quantity)

    @method
    async def pay(self, cents: int) -> Receipt:
        """Have the customer charged."""
        self._require("placed")
        receipt = await turn.current().ref(PaymentRef, turn.current().actor_id).charge(cents)
        self.status = "paid"
        return receipt

    @method
    async def ship(self) -> None:
        """Send the goods."""
        self._require("paid")
        self.status = "shipped"
        await self._tell_customer(
            "{quantity} {article} are on their way", quantity=str(self.quantity), article=self.article
        )

    @method
    def progress(self) -> str:
        """Return how far the order is."""
        return self.status

    def _require(self, status: str) -> None:
        if self.status != status:
            text = f"the order is {self.status}, not {status}"
            raise BusinessError(f"not_{status}", text, {"status": self.status})

    async def _tell_customer(self, template: str, **fields: str) -> None:
        await turn.current().ref(NotifierRef, turn.current().actor_id).send.tell(template, fields)


class OrderRef(Order, Ref):
    """A typed handle on an order."""


ACTORS: Final[tuple[type, ...]] = (Order, Inventory, Payment, Notifier)
