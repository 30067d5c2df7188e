"""What a worker takes for granted of who was served before it when the store does not say."""

from __future__ import annotations

from typing import cast

from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import Event, Trouble
from broker_actors.ports.members import Members
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.holding import Holding


class SilentMembers:
    """A store that does not answer."""

    async def hold(self, _mailbox: str, _name: str) -> bool:
        raise StoreUnavailableError("no answer")


class Remembering:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


async def test_without_an_answer_of_the_store_nobody_is_taken_to_have_left_in_order() -> None:
    observer = Remembering()
    holding = Holding(cast("Members", SilentMembers()), "web", observer)
    subscription = Subscription("actors.Counter.g1.0", "Counter", lambda: None)
    holding.served(subscription)
    await subscription.known()
    assert subscription.orderly is not None
    assert subscription.orderly.result() is False
    assert observer.seen == [Trouble("hold of actors.Counter.g1.0", "no answer")]
