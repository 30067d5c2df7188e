"""What other services need to know of accounts."""

from broker_actors import Ref, method


class AccountContract(Ref, actor_type="Account"):
    """Accounts, as far as shops may use them."""

    @method
    def withdraw(self, cents: int) -> int:
        raise NotImplementedError
