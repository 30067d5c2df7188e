"""Two versions of one actor's state. In your project these are two versions of one file."""

from decimal import Decimal

from broker_actors import Ref, actor, method


@actor(name="Invoice")
class InvoiceV1:
    """The release that runs: an amount in euros."""

    customer: str = ""
    euros: float = 0.0

    @method
    def bill(self, customer: str, euros: float) -> None:
        self.customer, self.euros = customer, euros

    @method
    def shown(self) -> str:
        return f"{self.customer}: {self.euros}"


@actor(name="Invoice", state_version=2)
class InvoiceV2:
    """The next release: an exact amount in any currency, and `euros` is gone."""

    customer: str = ""
    amount: Decimal = Decimal(0)
    currency: str = "EUR"

    @classmethod
    def migrate(cls, state: dict[str, object], version: int) -> dict[str, object]:
        if version < 2:
            state["amount"] = str(state.pop("euros"))
        return state

    @method
    def shown(self) -> str:
        return f"{self.customer}: {self.amount} {self.currency}"


class InvoiceV1Ref(InvoiceV1, Ref):
    """A handle of the release that runs."""


class InvoiceRef(InvoiceV2, Ref):
    """A handle of the next release."""
