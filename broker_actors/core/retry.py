"""Whether and when a failed turn is tried again.

Exponential backoff with full jitter: the wait before attempt n+1 is uniform between zero
and `min(max_backoff, min_backoff * 2 ** (n - 1))`. Source: Brooker, "Exponential Backoff
and Jitter", AWS Architecture Blog, 2015. Chance comes in as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker_actors.core.checks import is_whole
from broker_actors.core.delay import DELAY_SECONDS_MAX
from broker_actors.core.errors import ConfigurationError

#: Past this many doublings the backoff is at any sensible maximum; the power stays small.
_DOUBLINGS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a failed turn is tried and how long it waits in between.

    Attributes:
        attempts: runs in total, the first included; at least 1.
        min_backoff: bound of the first wait, in seconds; not negative.
        max_backoff: bound of every wait, in seconds; at least `min_backoff`, and not more
            than the delay levels hold.

    """

    attempts: int = 5
    min_backoff: float = 0.1
    max_backoff: float = 60.0

    def __post_init__(self) -> None:
        """Refuse a policy that could never run or would wait for a negative time.

        Raises:
            ConfigurationError: a value is out of its bounds.

        """
        if not is_whole(self.attempts):
            raise ConfigurationError(f"attempts={self.attempts!r} must be a whole number")
        if self.attempts < 1:
            text = f"attempts={self.attempts}: a turn runs at least once"
            raise ConfigurationError(text)
        if not 0 <= self.min_backoff <= self.max_backoff <= DELAY_SECONDS_MAX:
            text = (
                f"min_backoff={self.min_backoff} and max_backoff={self.max_backoff}: "
                f"0 <= min_backoff <= max_backoff <= {DELAY_SECONDS_MAX} must hold"
            )
            raise ConfigurationError(text)

    def backoff_seconds(self, attempt: int, chance: float) -> float:
        """Return the wait after *attempt* (from 1) failed, for *chance* in [0, 1)."""
        bound = min(self.max_backoff, self.min_backoff * 2.0 ** min(attempt - 1, _DOUBLINGS_MAX))
        return chance * bound

    def wait_seconds(self, attempt: int, *, recoverable: bool, chance: float) -> float | None:
        """Return the wait before the next attempt, or None when there is to be none."""
        if not recoverable or attempt >= self.attempts:
            return None
        return self.backoff_seconds(attempt, chance)


#: A worker of an older or newer release may not know a type or method yet: wait out a
#: rolling deploy (about a minute and a half at the most) before giving up.
UNKNOWN_TARGET: Final = Retry(attempts=8, min_backoff=1.0, max_backoff=30.0)
