"""The actor that services in other languages talk to."""

from broker_actors import BusinessError, actor, method


@actor(partitions=8)
class Account:
    """One customer's money."""

    cents: int = 0

    @method
    def deposit(self, cents: int) -> int:
        self.cents += cents
        return self.cents

    @method
    def withdraw(self, cents: int) -> int:
        if cents > self.cents:
            raise BusinessError("not_enough", f"{self.cents} cents left", {"missing": cents - self.cents})
        self.cents -= cents
        return self.cents
