"""How many try together grows with each success and begins anew with a refusal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.slow_start import WINDOW_MAX, Pacing


def test_the_window_doubles_in_each_round_of_successes() -> None:
    pacing, windows = Pacing().refused(0), list[int]()
    for _ in range(8):
        windows.append(pacing.window)
        for _ in range(pacing.window):
            pacing = pacing.taken(pacing.epoch)
    assert windows == [1, 2, 4, 8, 16, 32, 64, WINDOW_MAX]


def test_a_success_ends_a_row_of_refusals() -> None:
    pacing = Pacing().refused(0).refused(1)
    assert (pacing.refusals, pacing.taken(2).refusals) == (2, 0)


@given(successes=st.integers(0, 2 * WINDOW_MAX), together=st.integers(1, WINDOW_MAX))
def test_those_refused_together_count_once(successes: int, together: int) -> None:
    pacing = Pacing()
    for _ in range(successes):
        pacing = pacing.taken(0)
    for _ in range(together):
        pacing = pacing.refused(0)
    assert pacing == Pacing(window=1, refusals=1, epoch=1)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3))))
def test_the_window_keeps_its_bounds_and_what_is_past_changes_nothing(
    outcomes: list[tuple[bool, int]],
) -> None:
    pacing = Pacing()
    for is_taken, behind in outcomes:
        epoch = pacing.epoch - behind
        after = pacing.taken(epoch) if is_taken else pacing.refused(epoch)
        assert 1 <= after.window <= WINDOW_MAX
        assert (after == pacing) >= bool(behind)
        assert after.window <= pacing.window + 1
        assert after.window == 1 or not after.refusals
        pacing = after
