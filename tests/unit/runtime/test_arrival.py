"""What may begin on a subscription that is being given away."""

from __future__ import annotations

import asyncio

from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope
from broker_actors.core.wire import WireMessage
from broker_actors.runtime.arrival import Arrival, Subscription


def envelope(actor_id: str = "c1", *, chain: tuple[str, ...] = ()) -> Envelope:
    return Envelope(Address("Counter", actor_id), "increment", chain=chain)


def subscription() -> Subscription:
    return Subscription("actors.Counter.g1.0", "Counter", lambda: None)


ASKED = ("Order/o1",)


class Delivered:
    """A delivery nobody acknowledges."""

    message = WireMessage()
    redelivered = False
    mailbox = "actors.Counter.g1.0"

    def ack(self) -> None:
        """Do nothing."""


async def test_everything_begins_on_a_subscription_that_stays() -> None:
    assert subscription().may_begin(envelope(), draining=False)


async def test_nothing_begins_on_a_lost_subscription() -> None:
    lost = subscription()
    lost.lose()
    assert not lost.may_begin(envelope(chain=ASKED), draining=False)


async def test_while_it_finishes_only_what_a_running_turn_waits_for_begins() -> None:
    finishing = subscription()
    await finishing.finish()
    assert not finishing.may_begin(envelope("c1"), draining=False)
    assert finishing.may_begin(envelope("c2", chain=ASKED), draining=False)


async def test_nothing_overtakes_what_was_passed_over() -> None:
    draining = subscription()
    assert not draining.may_begin(envelope("c1"), draining=True)
    assert not draining.may_begin(envelope("c1", chain=ASKED), draining=True)


async def test_finishing_waits_for_what_runs_and_for_what_begins_meanwhile() -> None:
    busy = subscription()
    # One envelope, delivered twice, is two arrivals.
    c1, c2 = (Arrival(envelope(), Delivered(), busy, 0.0) for _ in range(2))
    busy.begun(c1, 1.0)
    finishing = asyncio.ensure_future(busy.finish())
    await asyncio.sleep(0)
    busy.begun(c2, 2.0)
    assert busy.oldest_seconds == 1.0
    busy.ended(c1)
    assert busy.oldest_seconds == 2.0
    await asyncio.sleep(0)
    assert not finishing.done()
    busy.ended(c2)
    await asyncio.wait_for(finishing, 1)


async def test_abandoning_says_so_once() -> None:
    said: list[str] = []
    once = Subscription("actors.Counter.g1.0", "Counter", lambda: said.append("given back"))
    once.abandon()
    once.abandon()
    assert said == ["given back"]
