"""What a relay holds: it goes in order of its time, never early, and soon."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.waiting import (
    LATE_SECONDS,
    PATIENCE_SECONDS,
    QUIET_SECONDS,
    UNDER_WAY_MAX,
    Waiting,
)

WINDOW = 500
#: When something is due and when it comes, in milliseconds: nothing is held that is due in over a second.
arrivals = st.lists(st.tuples(st.integers(-5_000, 999), st.integers(0, 3_000)), max_size=60)


def waiting(*due_ms: int, now_seconds: float = 0.0) -> Waiting[int]:
    """Hold items that are their own due time, all of which came at that moment of both clocks."""
    held = Waiting[int](WINDOW)
    for one in due_ms:
        held.add(one, one, one / 1000 - now_seconds, now_seconds)
    return held


@given(arrivals)
def test_nothing_goes_early_and_everything_goes_soon(mixed: list[tuple[int, int]]) -> None:
    held, went, now_seconds = Waiting[tuple[int, int]](WINDOW), list[tuple[int, int]](), 0.0
    coming = sorted((came_ms, came_ms + left_ms) for left_ms, came_ms in mixed)
    while coming or len(held):
        while coming and coming[0][0] / 1000 <= now_seconds:
            came_ms, due_ms = coming.pop(0)
            held.add((came_ms, due_ms), due_ms, due_ms / 1000 - now_seconds, now_seconds)
        for came_ms, due_ms in held.take(now_seconds, under_way=0):
            assert due_ms / 1000 <= now_seconds + 1e-6
            assert now_seconds <= max(came_ms, due_ms) / 1000 + PATIENCE_SECONDS + 1e-6
            went.append((came_ms, due_ms))
        until = coming[0][0] / 1000 - now_seconds if coming else inf
        wait_seconds = min(held.wait_seconds(now_seconds, under_way=0), until)
        assert wait_seconds > 0 or coming
        now_seconds = max(now_seconds + wait_seconds, now_seconds) if wait_seconds < inf else now_seconds
    assert sorted(went) == sorted((came, came + left) for left, came in mixed)


@given(st.lists(st.integers(-60_000, 0), max_size=UNDER_WAY_MAX))
def test_what_is_held_together_goes_in_order_of_its_time(due_ms: list[int]) -> None:
    assert waiting(*due_ms).take(1.0, under_way=0) == sorted(due_ms)


def test_equal_times_go_in_the_order_of_their_coming() -> None:
    held = Waiting[str](WINDOW)
    for name in "cab":
        held.add(name, 7, 0.0, 0.0)
    assert held.take(0.0, under_way=0) == ["c", "a", "b"]


def test_what_comes_in_time_goes_at_its_time() -> None:
    held = waiting(500, 200)
    assert held.wait_seconds(0.0, under_way=0) == 0.2
    assert held.take(0.2, under_way=0) == [200]
    assert held.take(0.49, under_way=0) == []
    assert held.take(0.5, under_way=0) == [500]
    assert held.wait_seconds(0.5, under_way=0) == inf


def test_what_is_hardly_late_goes_at_once() -> None:
    assert waiting(round(-1000 * LATE_SECONDS)).take(0.0, under_way=0) == [-100]


def test_what_comes_late_waits_until_no_more_comes() -> None:
    held = waiting(-2_000)
    assert held.wait_seconds(0.0, under_way=0) == QUIET_SECONDS
    held.add(-3_000, -3_000, -3.05, 0.05)
    assert held.take(QUIET_SECONDS, under_way=0) == []
    assert held.take(0.05 + QUIET_SECONDS, under_way=0) == [-3_000, -2_000]


def test_what_comes_late_waits_only_so_long_for_more() -> None:
    held = waiting(-2_000)
    for tenth in range(1, 11):
        came = tenth * PATIENCE_SECONDS / 10
        held.add(tenth, tenth - 1_000, -1.0 - came, came)
    assert held.take(PATIENCE_SECONDS, under_way=0) == [-2_000]


def test_what_comes_late_goes_when_there_is_no_room_for_more() -> None:
    held = waiting(*range(-WINDOW - 1_000, -1_000 - 10))
    assert held.take(0.0, under_way=9) == []
    assert held.take(0.0, under_way=10) == list(range(-WINDOW - 1_000, -WINDOW - 1_000 + UNDER_WAY_MAX - 10))


def test_no_more_go_than_may_be_under_way() -> None:
    held = waiting(*range(200))
    assert len(held.take(1.0, under_way=UNDER_WAY_MAX - 1)) == 1
    assert held.take(1.0, under_way=UNDER_WAY_MAX) == []
    assert held.wait_seconds(1.0, under_way=UNDER_WAY_MAX) == inf


def test_all_of_it_can_be_given_up() -> None:
    held = waiting(1, 2)
    assert sorted(held.clear()) == [1, 2]
    assert len(held) == 0
