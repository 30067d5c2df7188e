"""What a worker says it holds of its mailboxes."""

from __future__ import annotations

from dataclasses import replace

from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope
from broker_actors.core.member import Held
from broker_actors.core.wire import WireMessage
from broker_actors.runtime.arrival import Arrival, ParkedDelivery, Subscription
from broker_actors.runtime.running import held_of


def arrival(subscription: Subscription, sent_seconds: int) -> Arrival:
    envelope = Envelope(Address("Counter", "c1"), "increment", sent_seconds=sent_seconds)
    subscription.delivered += 1
    delivery = ParkedDelivery(WireMessage(), subscription.mailbox, redelivered=False)
    return Arrival(envelope, delivery, subscription, 0.0)


def test_what_is_held_is_counted_by_mailbox_with_the_age_of_the_oldest() -> None:
    one, other, lost = (Subscription(name, "Counter", lambda: None) for name in ("m.0", "m.1", "m.2"))
    lost.lose()
    running = [arrival(one, 30), arrival(lost, 1)]
    queues: list[list[object]] = [
        [arrival(lost, 2), arrival(one, 20), arrival(one, 25)],
        ["no arrival", arrival(other, 5)],
        [],
    ]
    assert held_of(running, queues) == {"m.0": Held(3, 20_000), "m.1": Held(1, 5_000)}
    assert held_of([], []) == {}


def test_what_is_acknowledged_or_parked_is_not_held() -> None:
    subscription = Subscription("m.0", "Counter", lambda: None)
    first, waiting, parked = (arrival(subscription, sent) for sent in (1, 2, 3))
    first.ack()
    parked.ack()
    assert held_of([replace(parked, is_parked=True)], [[waiting]]) == {"m.0": Held(1, 2_000)}
    assert held_of([replace(parked, is_parked=True)], []) == {}


def test_two_subscriptions_of_a_mailbox_are_counted_together() -> None:
    earlier, later = (Subscription("m.0", "Counter", lambda: None) for _ in range(2))
    held = held_of([arrival(earlier, 6), arrival(later, 9)], [[arrival(earlier, 5)]])
    assert held == {"m.0": Held(3, 5_000)}
