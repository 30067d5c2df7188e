"""Waiting for another process, where no event tells us."""

import time
from collections.abc import Callable

_INTERVAL_SECONDS = 0.01


def until(condition: Callable[[], bool], what: str, timeout_seconds: float) -> None:
    """Return as soon as *condition* holds.

    Raises:
        TimeoutError: it did not hold within *timeout_seconds*.
    """
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"{what} took longer than {timeout_seconds} s"
            raise TimeoutError(message)
        time.sleep(_INTERVAL_SECONDS)  # noqa: TID251 - the state of another process sends no event
