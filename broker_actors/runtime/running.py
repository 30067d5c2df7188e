"""What a worker takes on, and what of it runs now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.lanes import RUNNING_MAX
from broker_actors.core.light import dataclass
from broker_actors.core.member import Held
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.cycles import Wanting, waits_for
from broker_actors.runtime.steps import Steps

RESIDENTS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one worker takes on.

    Attributes:
        running_max: turns that run at a time; those that wait in an ask do not count.
        residents_max: live actors; beyond it the least recently used leave memory as soon as they are idle.

    """

    running_max: int = RUNNING_MAX
    residents_max: int = RESIDENTS_MAX


@dataclass(frozen=True, slots=True)
class Running:
    """A turn that runs now.

    Attributes:
        arrival: what it runs.
        task: the task it runs in.
        since_seconds: monotonic time at which it began.
        steps: what it does.

    """

    arrival: Arrival
    task: asyncio.Task[None]
    since_seconds: float
    steps: Steps

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for another actor."""
        return self.steps.is_waiting


def held_of(running: Iterable[Arrival], queues: Iterable[Iterable[object]]) -> Mapping[str, Held]:
    """Return what is not acknowledged, by mailbox: how much, and how old it is.

    Thousands may wait: how old is said by what runs, and by the first that waits of each actor.

    Args:
        running: what runs.
        queues: what waits, each in order; one subscription's, but for what is lost.

    """
    sent_seconds: dict[Subscription, int] = {}
    for arrival in chain(running, filter(None, map(_first_arrival, queues))):
        if arrival.is_parked:
            # The broker has forgotten it.
            continue
        subscription, sent = arrival.subscription, arrival.envelope.sent_seconds
        sent_seconds[subscription] = min(sent, sent_seconds.get(subscription, sent))
    held: dict[str, Held] = {}
    for subscription, sent in sent_seconds.items():
        if subscription.held and not subscription.is_lost():
            other = held.get(subscription.mailbox, Held(0, sent * 1000))
            count, oldest_ms = other.count + subscription.held, min(other.oldest_ms, sent * 1000)
            held[subscription.mailbox] = Held(count, oldest_ms)
    return held


def _first_arrival(queue: Iterable[object]) -> Arrival | None:
    arrivals = (item for item in queue if isinstance(item, Arrival) and not item.subscription.is_lost())
    return next(arrivals, None)


def caller_in_lane(
    wanting: Wanting, in_lane: Mapping[Address, tuple[Arrival, Running]], turns: Iterable[Running]
) -> str:
    """Return the method that holds the lane and waits for *wanting*; empty if none does.

    Args:
        wanting: wants the lane.
        in_lane: the turns that hold theirs.
        turns: all that run.

    """
    arrival, holder = in_lane.get(wanting.address, (None, None))
    if arrival is None or holder is None:
        return ""
    others = (
        turn.steps
        for turn in turns
        if turn is not holder and turn.arrival.envelope.address == wanting.address
    )
    return arrival.envelope.method if waits_for(holder.steps, others, wanting) else ""
