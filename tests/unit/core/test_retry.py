"""Whether and when a failed turn is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.delay import DELAY_SECONDS_MAX
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.retry import UNKNOWN_TARGET, Retry

ALMOST_ONE = 1 - 2**-53
chances = st.floats(0, 1, exclude_max=True)


@st.composite
def policies(draw: st.DrawFn) -> Retry:
    low, high = sorted((draw(st.floats(0, DELAY_SECONDS_MAX)), draw(st.floats(0, DELAY_SECONDS_MAX))))
    return Retry(draw(st.integers(1, 2**40)), low, high)


@given(policies(), st.integers(1, 2**63), chances)
def test_the_wait_is_uniform_from_zero_to_the_doubled_backoff(
    policy: Retry, attempt: int, chance: float
) -> None:
    bound = min(policy.max_backoff, policy.min_backoff * 2.0 ** min(attempt - 1, 60))
    assert policy.backoff_seconds(attempt, 0.0) == 0.0
    assert policy.backoff_seconds(attempt, chance) == chance * bound


def test_jitter_is_full() -> None:
    policy = Retry(min_backoff=1.0, max_backoff=60.0)
    waits = {policy.backoff_seconds(3, quarter / 4) for quarter in range(4)}
    assert waits == {0.0, 1.0, 2.0, 3.0}


@given(policies(), st.integers(1, 2**63))
def test_the_bound_never_shrinks_and_never_passes_the_maximum(policy: Retry, attempt: int) -> None:
    now, later = (policy.backoff_seconds(n, ALMOST_ONE) for n in (attempt, attempt + 1))
    assert 0 <= now <= later <= policy.max_backoff


@given(policies(), st.integers(1, 2**63), chances)
def test_the_last_attempt_is_not_tried_again(policy: Retry, attempt: int, chance: float) -> None:
    wait = policy.wait_seconds(attempt, recoverable=True, chance=chance)
    assert (wait is None) == (attempt >= policy.attempts)


@given(policies(), st.integers(1, 2**63), chances)
def test_what_trying_again_cannot_help_is_not_tried_again(policy: Retry, attempt: int, chance: float) -> None:
    assert policy.wait_seconds(attempt, recoverable=False, chance=chance) is None


@given(policies(), st.integers(1, 2**70), chances)
def test_every_wait_has_a_number_of_milliseconds(policy: Retry, attempt: int, chance: float) -> None:
    assert 0 <= round(1000 * policy.backoff_seconds(attempt, chance)) <= 1000 * DELAY_SECONDS_MAX


@pytest.mark.parametrize("attempts", [0, -1])
def test_a_turn_runs_at_least_once(attempts: int) -> None:
    with pytest.raises(ConfigurationError, match="at least once"):
        Retry(attempts=attempts)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1, 1), (2, 1), (0, float("inf")), (float("nan"), 1), (0, float("nan")), (1, 2**28), (1e300, 1e308)],
)
def test_backoffs_out_of_order_or_beyond_the_delay_levels_are_refused(low: float, high: float) -> None:
    with pytest.raises(ConfigurationError, match="must hold"):
        Retry(min_backoff=low, max_backoff=high)


def test_an_unknown_target_is_tried_for_a_rolling_deploy() -> None:
    longest = sum(UNKNOWN_TARGET.backoff_seconds(n, 1.0) for n in range(1, UNKNOWN_TARGET.attempts))
    assert 60 < longest < 180
