"""What surrounds calls: to many at once, so many at a time, again, and not while it is in vain.

    outcomes = await broadcast(refs, timeout=2).ask(Counter.increment, 5)

Here belongs what is made of calls and awaitables of any kind, on the public API of actors and on ports.
Nothing here knows a broker or a store. Invariant: what one of many does is nothing to the others.
"""

from broker_actors.core.errors import CircuitOpenError, PlaceLostError
from broker_actors.patterns.batches import each
from broker_actors.patterns.breaker import CircuitBreaker
from broker_actors.patterns.broadcasting import Broadcast, broadcast
from broker_actors.patterns.groups import Group
from broker_actors.patterns.limiter import Limiter, Place
from broker_actors.patterns.outcomes import Failed, Ok, Outcome, Outcomes, TimedOut
from broker_actors.patterns.retrying import Retrying

__all__ = [
    "Broadcast",
    "CircuitBreaker",
    "CircuitOpenError",
    "Failed",
    "Group",
    "Limiter",
    "Ok",
    "Outcome",
    "Outcomes",
    "Place",
    "PlaceLostError",
    "Retrying",
    "TimedOut",
    "broadcast",
    "each",
]
