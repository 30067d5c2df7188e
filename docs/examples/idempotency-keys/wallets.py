"""Wallets that are charged by shops."""

from datetime import timedelta

from broker_actors import BusinessError, Ref, Retry, actor, method


@actor(key_retention=timedelta(days=7), retry=Retry(attempts=1))
class Wallet:
    """One customer's money."""

    cents: int = 100
    terminal_works: bool = True

    @method
    def charge(self, cents: int) -> int:
        if not self.terminal_works:
            raise ConnectionError("the terminal does not answer")
        if cents > self.cents:
            raise BusinessError("not_enough", f"{self.cents} cents left")
        self.cents -= cents
        return self.cents

    @method
    def set_terminal(self, *, works: bool) -> None:
        self.terminal_works = works


class WalletRef(Wallet, Ref):
    """A typed handle on a wallet."""
