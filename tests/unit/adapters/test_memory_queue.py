"""The in-process queue against its invariants, whatever is done to it."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from broker_actors.adapters.memory.queue import Entry, MemoryQueue, Subscription
from broker_actors.core.wire import WireMessage


class Reader:
    """A consumer that holds what it gets."""

    def __init__(self, prefetch: int) -> None:
        self.held: dict[int, Entry] = {}
        self.got: list[int] = []
        self.subscription = Subscription(prefetch, self._take, self._ended)

    def _take(self, tag: int, entry: Entry) -> None:
        self.held[tag] = entry
        self.got.append(number_of(entry))

    def _ended(self, why: str) -> None:
        """Nothing ends it in these tests."""


def number_of(entry: Entry) -> int:
    return int(entry.message.body)


class SingleActiveQueue(RuleBasedStateMachine):
    """One active consumer at a time; what is out or ready is exactly what was not acknowledged."""

    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.queue = MemoryQueue("box", {"x-single-active-consumer": True})
        self.subscribed: list[Reader] = []
        self.put = 0
        self.acknowledged: set[int] = set()

    @rule()
    def publish(self) -> None:
        self.queue.put(WireMessage(body=str(self.put).encode()), "box", 0.0)
        self.put += 1

    @rule(target=readers, prefetch=st.integers(1, 3))
    def subscribe(self, prefetch: int) -> Reader:
        reader = Reader(prefetch)
        self.subscribed.append(reader)
        self.queue.subscribe(reader.subscription)
        return reader

    @rule(reader=consumes(readers))
    def unsubscribe(self, reader: Reader) -> None:
        self.subscribed.remove(reader)
        self.queue.unsubscribe(reader.subscription)
        # A late acknowledgement means nothing.
        self.queue.settle(reader.subscription, reader.held)
        reader.held.clear()

    @rule(reader=readers, choice=st.integers(0, 10))
    def acknowledge(self, reader: Reader, choice: int) -> None:
        if reader.held:
            tag = sorted(reader.held)[choice % len(reader.held)]
            self.acknowledged.add(number_of(reader.held.pop(tag)))
            self.queue.settle(reader.subscription, [tag, tag])

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        ready = [number_of(entry) for entry in self.queue.ready]
        returned = [number_of(entry) for entry in self.queue.returned]
        out = [number_of(entry) for reader in self.subscribed for entry in reader.held.values()]
        left = [n for n in range(self.put) if n not in self.acknowledged]
        assert sorted([*returned, *ready, *out]) == left
        assert [number_of(entry) for entry in self.queue.entries] == left
        assert self.queue.held == len(left)
        assert ready == sorted(ready)
        assert max(returned, default=-1) < min(ready, default=self.put)

    @invariant()
    def only_the_first_holds_anything_and_within_its_window(self) -> None:
        for position, reader in enumerate(self.subscribed):
            assert len(reader.held) <= (reader.subscription.prefetch if position == 0 else 0)

    @invariant()
    def nothing_waits_without_need(self) -> None:
        if self.subscribed:
            active = self.subscribed[0]
            assert not self.queue.head or len(active.held) == active.subscription.prefetch


TestSingleActiveQueue = SingleActiveQueue.TestCase
