"""The clock of tests: real time, but retries do not wait."""

from __future__ import annotations

from broker_actors.adapters.clock import SystemClock


class PromptClock(SystemClock):
    """Implements `ports.clock.Clock`: the machine's time, and no jitter.

    A backoff is drawn between zero and a bound that grows; this clock always draws zero, so
    that a method which fails five times fails within milliseconds.
    """

    def chance(self) -> float:
        """Return 0."""
        return 0.0
