"""Which lanes of a mailbox give up their places in its prefetch window.

The broker delivers so many messages and waits for acknowledgements, so what a window holds
keeps everything behind it away, also the very message a turn waits for. Facts in, decision
out: one actor may hold half of a window, and so may all that wait for other actors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Lane(Generic[K]):
    """What one actor holds of a window.

    Attributes:
        key: which actor.
        backlog: deliveries that wait for their turn.
        waits: whether its turn waits for another actor.
        holds: whether that turn's own delivery is one of the window.
        since_seconds: when that turn began.

    """

    key: K
    backlog: int
    waits: bool = False
    holds: bool = False
    since_seconds: float = 0.0


def most_of_one(window: int) -> int:
    """Return how many deliveries of a window one actor may hold, and all those that wait for others."""
    return window // 2


def to_park(lanes: Iterable[Lane[K]], held: int, window: int) -> list[K]:
    """Return whose deliveries are to be parked: nobody's, if no backlog is too long and no turn waits.

    Args:
        lanes: of everybody who holds something of the window.
        held: deliveries of the window that are not acknowledged.
        window: how many there can be.

    """
    half = most_of_one(window)
    lanes = list(lanes)
    parked = {lane.key: None for lane in lanes if lane.backlog > half}
    waiting = [lane for lane in lanes if lane.waits and lane.key not in parked]
    if sum(lane.backlog + lane.holds for lane in waiting) > half:
        parked |= {lane.key: None for lane in waiting if lane.backlog}
    # What is left of those that wait is a delivery each.
    left = sorted((lane for lane in waiting if lane.holds and not lane.backlog), key=_age)
    if held >= window and len(left) > half:
        parked |= {lane.key: None for lane in left[half:]}
    return list(parked)


def _age(lane: Lane[K]) -> float:
    return lane.since_seconds
