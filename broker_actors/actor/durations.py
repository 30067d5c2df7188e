"""Durations as users write them: seconds as a number, or a `timedelta`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypeAlias

from broker_actors.core.errors import ConfigurationError

Duration: TypeAlias = float | timedelta

#: A hundred years: more is a mistake, and would not fit where milliseconds travel.
DURATION_SECONDS_MAX: Final = 100 * 366 * 86_400.0


def seconds(value: Duration, what: str) -> float:
    """Return *value* in seconds.

    Args:
        value: seconds, or a timedelta.
        what: names the duration in the error.

    Raises:
        ConfigurationError: it is negative, over a hundred years, or not a duration.

    """
    result = value.total_seconds() if isinstance(value, timedelta) else value
    if not _is_number(result) or not 0 <= result <= DURATION_SECONDS_MAX:
        text = f"{what}={value!r} must be a duration: seconds, or a timedelta, up to a hundred years"
        raise ConfigurationError(text)
    return float(result)


def _is_number(value: object) -> bool:
    # What reads a configuration file may pass anything, and True is no duration.
    return isinstance(value, int | float) and not isinstance(value, bool)
