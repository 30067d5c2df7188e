"""Bank accounts."""

from broker_actors import BusinessError, Ref, actor, method


@actor
class Account:
    """One account. Its id is the account number."""

    cents: int = 0  # durable, because it is a public name with an annotation

    @method
    def deposit(self, cents: int) -> int:
        self.cents += cents
        return self.cents

    @method
    def withdraw(self, cents: int) -> int:
        if cents > self.cents:
            raise BusinessError("not_enough", f"{self.cents} cents left", {"left": self.cents})
        self.cents -= cents
        return self.cents

    @method
    def balance(self) -> int:
        return self.cents


class AccountRef(Account, Ref):
    """A typed handle on an account."""
