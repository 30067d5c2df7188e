"""Who gives up places in a prefetch window: any mix of lanes leaves room for what they wait for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.window import Lane, to_park


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Lane[int]], int, int]:
    """Draw lanes, how many deliveries they hold together, and a window they fit."""
    facts = draw(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans()), max_size=12))
    lanes = [Lane(n, backlog, waits, holds, float(n)) for n, (backlog, waits, holds) in enumerate(facts)]
    held = sum(lane.backlog + lane.holds for lane in lanes)
    others = draw(st.integers(0, 5))
    return lanes, held + others, draw(st.integers(max(1, held + others), 200))


@given(crowds())
def test_what_waits_never_keeps_more_than_half_of_a_full_window(
    crowd: tuple[list[Lane[int]], int, int],
) -> None:
    lanes, held, window = crowd
    parked = to_park(lanes, held, window)
    kept = [lane for lane in lanes if lane.key not in parked]
    assert all(lane.backlog <= window // 2 for lane in kept)
    if held >= window:
        assert sum(lane.backlog + lane.holds for lane in kept if lane.waits) <= window // 2


@given(crowds())
def test_nobody_is_parked_without_need(crowd: tuple[list[Lane[int]], int, int]) -> None:
    lanes, held, window = crowd
    parked = to_park(lanes, held, window)
    assert len(parked) == len(set(parked))
    waiting = sum(lane.backlog + lane.holds for lane in lanes if lane.waits)
    for lane in lanes:
        if lane.key in parked:
            assert lane.backlog or lane.holds, "nothing would be gained"
            assert lane.backlog > window // 2 or (lane.waits and waiting > window // 2)


def test_one_actor_may_hold_half_of_a_window_and_no_more() -> None:
    assert to_park([Lane("a", 500)], 500, 1_000) == []
    assert to_park([Lane("a", 501), Lane("b", 3)], 504, 1_000) == ["a"]


def test_those_that_wait_give_up_what_waits_behind_them() -> None:
    lanes = [Lane("a", 300, waits=True, holds=True), Lane("b", 300, waits=True, holds=True), Lane("c", 300)]
    assert to_park(lanes, 902, 1_000) == ["a", "b"]


def test_of_those_that_wait_alone_the_youngest_go_once_the_window_is_full() -> None:
    lanes = [Lane(n, 0, waits=True, holds=True, since_seconds=float(-n)) for n in range(4)]
    assert to_park(lanes, 4, 5) == []
    assert set(to_park(lanes, 4, 4)) == {0, 1}


def test_a_window_of_one_is_left_by_the_turn_that_waits_in_it() -> None:
    assert to_park([Lane("a", 0, waits=True, holds=True)], 1, 1) == ["a"]
    assert to_park([Lane("a", 0, waits=False, holds=True)], 1, 1) == []
