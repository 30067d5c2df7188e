"""The actors whose messages are counted: the least work a method can do, in each delivery."""

from __future__ import annotations

from broker_actors import Ref, actor, method


@actor(partitions=1)
class Ledger:
    """Effectively once: every turn is a commit of changed state."""

    total: int = 0

    @method
    def add(self, n: int) -> int:
        """Change the state."""
        self.total += n
        return n


@actor(partitions=1, delivery="at_least_once")
class Echo:
    """At least once: no store."""

    @method
    def add(self, n: int) -> int:
        """Return *n*."""
        return n


class LedgerRef(Ledger, Ref):
    """Handle on `Ledger`."""


class EchoRef(Echo, Ref):
    """Handle on `Echo`."""
