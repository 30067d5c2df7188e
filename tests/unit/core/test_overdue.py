"""Ticks that are overdue: sent again, after ever longer times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.overdue import GRACE_MS, is_sent_again


@given(st.integers(-(2**50), 2**50), st.one_of(st.none(), st.integers(0, 2**50)))
def test_nothing_is_sent_again_within_the_grace(overdue_ms: int, looked_ms: int | None) -> None:
    if overdue_ms < GRACE_MS:
        assert not is_sent_again(overdue_ms, looked_ms)


@given(st.integers(GRACE_MS, 2**50))
def test_who_looks_for_the_first_time_sends_all_of_it(overdue_ms: int) -> None:
    assert is_sent_again(overdue_ms, None)


@given(st.integers(0, GRACE_MS), st.lists(st.integers(1, 5 * GRACE_MS), min_size=1, max_size=200))
def test_it_is_sent_soon_and_ever_more_rarely(begun_ms: int, pauses_ms: list[int]) -> None:
    overdue_ms, sent = begun_ms, 0
    for pause_ms in pauses_ms:
        overdue_ms += pause_ms
        sent += is_sent_again(overdue_ms, pause_ms)
    doublings = (overdue_ms // GRACE_MS).bit_length()
    assert sent <= doublings
    assert (sent > 0) == (doublings > 0 or begun_ms >= GRACE_MS) or begun_ms == GRACE_MS


@pytest.mark.parametrize(
    ("minutes", "is_sent"),
    [(0.9, False), (1.2, True), (1.9, False), (2.1, True), (3.5, False), (4, True), (5, False)],
)
def test_looks_every_half_minute(minutes: float, is_sent: bool) -> None:
    assert is_sent_again(round(minutes * 60_000), 30_000) is is_sent
