from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest

from broker_actors.actor.durations import Duration, seconds
from broker_actors.core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "expected"), [(0, 0.0), (2, 2.0), (0.25, 0.25), (timedelta(minutes=1, milliseconds=500), 60.5)]
)
def test_numbers_are_seconds_and_timedeltas_are_themselves(given: Duration, expected: float) -> None:
    assert seconds(given, "timeout") == expected


@pytest.mark.parametrize("given", [-1, -0.001, inf, nan, timedelta(seconds=-1), True, "5", None])
def test_what_is_no_duration_is_refused_by_name(given: Duration) -> None:
    with pytest.raises(ConfigurationError, match="timeout="):
        seconds(given, "timeout")
