"""Actors whose messages wait, are delayed and fail: a shop on a bad day."""

from __future__ import annotations

from broker_actors import BusinessError, Ref, Retry, actor, method


@actor(partitions=2, codec="json", retry=Retry(attempts=3, min_backoff=0.01, max_backoff=0.01))
class Payment:
    """The payment of an order, through a bank that does not answer."""

    charged_cents: int = 0

    @method
    def charge(self, cents: int, card: str) -> int:
        """Fail as often as it is tried."""
        raise ConnectionError(f"no answer from the bank of {card} for {cents} cents")

    @method
    def refund(self, cents: int) -> None:
        """Refuse: what was not charged cannot be paid back."""
        raise BusinessError("nothing_charged", f"{cents} cents wanted, none charged")


class PaymentRef(Payment, Ref):
    """A typed handle on a payment."""


@actor(partitions=2, codec="json")
class Order:
    """An order."""

    last: str = ""

    @method
    def add(self, article: str, quantity: int) -> None:
        """Add some of an article."""
        self.last = f"{quantity} {article}"

    @method
    def total(self) -> int:
        """Return what it costs."""
        return 0


class OrderRef(Order, Ref):
    """A typed handle on an order."""


@actor(partitions=1, codec="msgpack", retry=Retry(attempts=2, min_backoff=1e6, max_backoff=1e6))
class Parcel:
    """A parcel whose label cannot be printed today."""

    labels: int = 0

    @method
    def label(self, address: str) -> None:
        """Fail, to be tried again in some days."""
        raise RuntimeError(f"no paper for {address}")


class ParcelRef(Parcel, Ref):
    """A typed handle on a parcel."""


@actor(mailbox="dedicated", codec="json")
class Printer:
    """The printer of the warehouse."""

    pages: int = 0

    @method
    def print(self, pages: int) -> None:
        """Print."""
        self.pages += pages


class PrinterRef(Printer, Ref):
    """A typed handle on a printer."""
