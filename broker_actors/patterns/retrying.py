"""Trying again on the caller's side, by the platform's own policy and its own errors.

Invariant: the last error is raised as it is; nothing is returned that no attempt has returned.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from broker_actors.core.errors import describe
from broker_actors.core.retry import Retry
from broker_actors.patterns.timing import LoopTimer
from broker_actors.ports.clock import Timer

P = ParamSpec("P")
R = TypeVar("R")


def is_recoverable(error: Exception) -> bool:
    """Return whether trying again may help.

    Not after a business error, a fault that says it is not recoverable, or a mistake of the caller's; but
    after a timeout, and after whatever the platform does not know.
    """
    return describe(error).recoverable


class Retrying:
    """Calls again what has failed: `await Retrying(Retry(attempts=3)).call(ref.charge, 5)`.

    An attempt that failed may have taken effect. Give an ask an idempotency key, so that it runs once.
    """

    def __init__(
        self,
        policy: Retry | None = None,
        *,
        recoverable: Callable[[Exception], bool] = is_recoverable,
        timer: Timer | None = None,
    ) -> None:
        """Prepare to call.

        Args:
            policy: how often, and how long between; `Retry()` by default.
            recoverable: which errors are worth another attempt; by default `is_recoverable`.
            timer: time and chance; the running loop's time by default.

        """
        self._policy = policy or Retry()
        self._recoverable = recoverable
        self._timer = timer or LoopTimer()

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *function* returns at last.

        Raises:
            Exception: what the last attempt raised.

        """
        attempt = 1
        while True:
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                wait_seconds = self._policy.wait_seconds(
                    attempt, recoverable=self._recoverable(error), chance=self._timer.chance()
                )
                if wait_seconds is None:
                    raise
            # Not in the `except` block: the error would be the context of all that follow.
            await self._timer.sleep(wait_seconds)
            attempt += 1
