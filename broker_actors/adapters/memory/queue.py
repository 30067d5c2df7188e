"""One queue of the in-process broker: what waits, who consumes, what is out.

Invariants: a message is either ready, returned, out with exactly one subscription, or gone.
What comes back goes before everything ready, in its old order and marked as redelivered, but
behind what came back before: as in a quorum queue, a consumer whose prefetch is smaller
than what it found returned gives its messages back behind the rest of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeAlias

from broker_actors.core.topology import Argument
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import Depth


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in a queue.

    Attributes:
        position: counts up in the order of arrival in this queue.
        message: what was published.
        key: the routing key it came with.
        due_seconds: monotonic time at which it expires; infinite without a time to live.
        redelivered: whether it was out before.

    """

    position: int
    message: WireMessage
    key: str
    due_seconds: float
    redelivered: bool = False


#: Takes one entry and its tag; must only take note of it.
Hand: TypeAlias = Callable[[int, Entry], None]


class Subscription:
    """One consumer of a queue, as the broker sees it. Tags count from 1 without gaps."""

    def __init__(self, prefetch: int, hand: Hand, ended: Callable[[str], None]) -> None:
        self.prefetch = prefetch
        self.hand = hand
        self.ended = ended
        self.unacked: dict[int, Entry] = {}
        self.tags = count(1)

    @property
    def has_room(self) -> bool:
        """Whether another delivery is within the prefetch."""
        return len(self.unacked) < self.prefetch


class MemoryQueue:
    """A durable-in-process queue.

    Args:
        name: of the queue.
        arguments: as declared; `x-single-active-consumer`, `x-message-ttl`, `x-max-length` and
            the dead-letter arguments have an effect.
        length_max: how many messages may be ready, as a policy would say; None for no bound.

    """

    def __init__(
        self, name: str, arguments: Mapping[str, Argument], *, length_max: int | None = None
    ) -> None:
        self.name = name
        self.arguments = dict(arguments)
        bounds = [bound for bound in (length_max, arguments.get("x-max-length")) if bound is not None]
        self._length_max = min(map(int, bounds), default=None)
        self.ready: deque[Entry] = deque()
        self.returned: deque[Entry] = deque()
        self._positions = count(1)
        # In order of their coming: the first is the active one, or has the next turn.
        self._subscriptions: deque[Subscription] = deque()
        self._single = bool(arguments.get("x-single-active-consumer"))

    @property
    def time_to_live_seconds(self) -> float:
        """How long a message waits before it expires; infinite when it never does."""
        milliseconds = self.arguments.get("x-message-ttl")
        return float("inf") if milliseconds is None else int(milliseconds) / 1000

    @property
    def head(self) -> deque[Entry]:
        """What is handed out next, the first of it first; empty when nothing waits."""
        return self.returned or self.ready

    @property
    def full(self) -> bool:
        """Whether another message is refused. Only what is ready counts."""
        refuses = self.arguments.get("x-overflow") == "reject-publish"
        return refuses and self._length_max is not None and len(self.ready) >= self._length_max

    @property
    def depth(self) -> Depth:
        """How the queue stands."""
        return Depth(len(self.ready) + len(self.returned), len(self._subscriptions))

    @property
    def held(self) -> int:
        """How many messages it holds, ready, returned or out."""
        out = sum(len(subscription.unacked) for subscription in self._subscriptions)
        return len(self.ready) + len(self.returned) + out

    @property
    def entries(self) -> list[Entry]:
        """What the queue holds: what is out, returned or ready, in order of arrival."""
        out = [entry for subscription in self._subscriptions for entry in subscription.unacked.values()]
        return sorted([*out, *self.returned, *self.ready], key=lambda entry: entry.position)

    def put(self, message: WireMessage, key: str, now_seconds: float) -> None:
        """Append a message and hand out what may be handed out."""
        due_seconds = now_seconds + self.time_to_live_seconds
        self.ready.append(Entry(next(self._positions), message, key, due_seconds))
        self._hand_out()

    def subscribe(self, subscription: Subscription) -> None:
        """Add a consumer; deliveries begin at once if it is its turn."""
        self._subscriptions.append(subscription)
        self._hand_out()

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a consumer; what it has not acknowledged returns to the head in order."""
        if subscription not in self._subscriptions:
            return
        self._subscriptions.remove(subscription)
        back = sorted(subscription.unacked.values(), key=lambda entry: entry.position)
        subscription.unacked.clear()
        self.returned.extend(replace(entry, redelivered=True) for entry in back)
        self._hand_out()

    def settle(self, subscription: Subscription, tags: Iterable[int]) -> None:
        """Forget what was acknowledged. Unknown tags are late acknowledgements and mean nothing."""
        for tag in tags:
            subscription.unacked.pop(tag, None)
        self._hand_out()

    def end_all(self, why: str) -> None:
        """End every consumer from the broker's side."""
        for subscription in tuple(self._subscriptions):
            self.unsubscribe(subscription)
            subscription.ended(why)

    def _hand_out(self) -> None:
        while (line := self.head) and (subscription := self._next()) is not None:
            entry = line.popleft()
            tag = next(subscription.tags)
            subscription.unacked[tag] = entry
            subscription.hand(tag, entry)

    def _next(self) -> Subscription | None:
        if self._single:
            active = self._subscriptions[0] if self._subscriptions else None
            return active if active is not None and active.has_room else None
        for _ in range(len(self._subscriptions)):
            subscription = self._subscriptions[0]
            self._subscriptions.rotate(-1)
            if subscription.has_room:
                return subscription
        return None
