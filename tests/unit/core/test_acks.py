"""Acknowledgements against a model of the broker's channel."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.acks import AckPlan, AckWindow


class Channel:
    """What a broker does with acknowledgements: an unknown tag closes the channel."""

    def __init__(self) -> None:
        self.delivered = 0
        self.unacknowledged: set[int] = set()

    def deliver(self) -> int:
        self.delivered += 1
        self.unacknowledged.add(self.delivered)
        return self.delivered

    def acknowledge(self, plan: AckPlan) -> set[int]:
        acknowledged = set()
        if plan.up_to:
            assert plan.up_to in self.unacknowledged, "PRECONDITION_FAILED: unknown delivery tag"
            acknowledged |= {tag for tag in self.unacknowledged if tag <= plan.up_to}
        self.unacknowledged -= acknowledged
        for tag in plan.singles:
            assert tag in self.unacknowledged, "PRECONDITION_FAILED: unknown delivery tag"
            self.unacknowledged.remove(tag)
            acknowledged.add(tag)
        return acknowledged


@given(st.lists(st.sampled_from("ddddeeet")), st.randoms(use_true_random=False))
def test_exactly_what_has_ended_is_acknowledged_and_only_once(steps: list[str], chooser: Random) -> None:
    channel, window = Channel(), AckWindow()
    running: list[int] = []
    ended: set[int] = set()
    for step in [*steps, "t"]:
        if step == "d":
            running.append(channel.deliver())
        elif step == "e" and running:
            tag = running.pop(chooser.randrange(len(running)))
            window.end(tag)
            ended.add(tag)
        elif step == "t":
            assert channel.acknowledge(window.take()) == ended
            ended.clear()
            assert channel.unacknowledged == set(running)


def test_a_prefix_is_acknowledged_in_one_go() -> None:
    window = AckWindow()
    for tag in (3, 1, 2):
        window.end(tag)
    assert window.take() == AckPlan(3, ())


def test_what_ended_behind_a_running_one_is_acknowledged_singly() -> None:
    window = AckWindow()
    for tag in (1, 3, 5):
        window.end(tag)
    assert window.take() == AckPlan(1, (3, 5))
    window.end(2)
    window.end(4)
    assert window.take() == AckPlan(4, ())


def test_a_prefix_that_was_sent_singly_is_not_named_again() -> None:
    window = AckWindow()
    window.end(2)
    assert window.take() == AckPlan(0, (2,))
    window.end(1)
    assert window.take() == AckPlan(1, ()), "up to 2 would name a tag the broker no longer knows"
    assert window.take() == AckPlan(0, ())


@pytest.mark.parametrize("tag", [1, 2, 3])
def test_a_delivery_that_ends_twice_is_acknowledged_once(tag: int) -> None:
    window = AckWindow()
    for ended in (1, 3):
        window.end(ended)
    window.take()
    window.end(tag)
    window.end(tag)
    assert window.take() == (AckPlan(2, ()) if tag == 2 else AckPlan(0, ()))


def test_a_delivery_that_ends_again_with_those_before_it_is_not_named_again() -> None:
    window = AckWindow()
    window.end(2)
    assert window.take() == AckPlan(0, (2,))
    window.end(2)
    window.end(1)
    assert window.take() == AckPlan(1, ())
    window.end(3)
    assert window.take() == AckPlan(3, ())
