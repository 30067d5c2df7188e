"""For how long a suspect runs alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.suspicion import (
    ALONE_MAX,
    ALONE_SECONDS,
    ALONE_SECONDS_MAX,
    BESIDE_OTHERS_MAX,
    alone_seconds,
)


@given(st.integers(0, 10**9))
def test_it_grows_with_each_crash_up_to_a_bound(crashes: int) -> None:
    now, after_one_more = alone_seconds(crashes), alone_seconds(crashes + 1)
    assert ALONE_SECONDS <= now <= after_one_more <= ALONE_SECONDS_MAX
    if crashes >= BESIDE_OTHERS_MAX and after_one_more < ALONE_SECONDS_MAX:
        assert after_one_more == 2 * now


def test_what_kills_late_is_found_after_few_crashes_more() -> None:
    """As decision 22 says it: how many crashes what kills after ten minutes costs at the most."""
    expired = next(n for n in range(100) if alone_seconds(BESIDE_OTHERS_MAX + n) > 600)
    assert 1 + BESIDE_OTHERS_MAX + expired + ALONE_MAX == 13
