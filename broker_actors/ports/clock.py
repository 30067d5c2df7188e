"""Time and chance, so that a test can own both."""

from __future__ import annotations

from typing import Protocol


class Timer(Protocol):
    """Time that stays in this process, and chance."""

    def monotonic_seconds(self) -> float:
        """Return seconds that never go back. Use it for what stays in this process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*; at once, but after one loop pass, when not positive."""
        ...

    def chance(self) -> float:
        """Return a uniform number in [0, 1), for jitter."""
        ...


class Clock(Timer, Protocol):
    """The only source of time and chance outside adapters."""

    def now_ms(self) -> int:
        """Return the wall clock in Unix milliseconds. It may jump; use it for what crosses processes."""
        ...

    def token(self) -> str:
        """Return 32 hexadecimal characters nobody else has: incarnations, nonces, ids."""
        ...
