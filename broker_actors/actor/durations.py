"""Durations as users write them: seconds as a number, or a `timedelta`."""

from __future__ import annotations

from datetime import timedelta
from math import isfinite
from typing import TypeAlias

from broker_actors.core.errors import ConfigurationError

Duration: TypeAlias = float | timedelta


def seconds(value: Duration, what: str) -> float:
    """Return *value* in seconds.

    Args:
        value: seconds, or a timedelta.
        what: names the duration in the error.

    Raises:
        ConfigurationError: it is negative, not finite or not a duration.

    """
    result = value.total_seconds() if isinstance(value, timedelta) else value
    if not _is_number(result) or not isfinite(result) or result < 0:
        text = f"{what}={value!r} must be a duration: seconds as a number >= 0, or a timedelta"
        raise ConfigurationError(text)
    return float(result)


def _is_number(value: object) -> bool:
    # What reads a configuration file may pass anything, and True is no duration.
    return isinstance(value, int | float) and not isinstance(value, bool)
