"""Transfers between accounts."""

from bank import AccountRef

from broker_actors import Ref, actor, method, turn


@actor
class Transfer:
    """Moves money once. Its id is the transfer's number."""

    done: bool = False

    @method
    async def execute(self, source: str, target: str, cents: int) -> None:
        if self.done:
            return
        this = turn.current()
        payer = this.ref(AccountRef, source).with_options(idempotency_key=this.actor_id)
        await payer.withdraw(cents)  # ask: it may be refused
        await this.ref(AccountRef, target).deposit.tell(cents)  # leaves with this turn's commit
        self.done = True


class TransferRef(Transfer, Ref):
    """A typed handle on a transfer."""
