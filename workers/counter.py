"""The smallest durable actor: `broker-actors worker workers.counter`.

What it shows: state, a result, a refusal, and (on its page, docs/workers/counter.md) how a key
makes a call safe to repeat.
"""

from __future__ import annotations

from broker_actors import BusinessError, Ref, actor, method


@actor
class Counter:
    """Counts one thing; its id says which."""

    value: int = 0  # durable: committed with the turn that changed it

    @method
    def increment(self, by: int = 1) -> int:
        """Count *by* more; return the new total.

        Raises:
            BusinessError: `not_positive`.

        """
        if by < 1:
            raise BusinessError("not_positive", f"a counter goes up, not by {by}", {"value": self.value})
        self.value += by
        return self.value

    @method
    def total(self) -> int:
        """Return what was counted so far."""
        return self.value


class CounterRef(Counter, Ref):
    """A typed handle on a counter."""
