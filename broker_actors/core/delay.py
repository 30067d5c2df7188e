"""Delay levels: how a message waits in the broker without a plugin.

Level n is a queue whose messages expire after 2**n seconds into the exchange of level
n - 1. A message enters at the highest set bit of its delay, and its routing key says at
which of the lower levels it waits and which it passes by; one delay never stands behind
another, since all messages of one level wait equally long. Source: NServiceBus.RabbitMQ
delay infrastructure v2.

Invariant: what is sent from here waits in one level at a time, and never longer than what is
left until it is due. Whoever takes it from there sees what is left then, so that a time in
which the broker was away is not waited for again.
"""

from __future__ import annotations

from typing import Final

#: 28 levels: up to 2**28 - 1 seconds, about eight and a half years.
LEVELS: Final = 28
DELAY_SECONDS_MAX: Final = 2**LEVELS - 1
DUE: Final = "due"


def stretch_seconds(due_ms: int, now_ms: int) -> int:
    """Return how long a message waits next in the levels: the longest level that ends by *due_ms*.

    Returns:
        A power of two, or 0 if what is left is shorter than the shortest level.

    """
    left_seconds = min(DELAY_SECONDS_MAX, (due_ms - now_ms) // 1000)
    return 1 << (left_seconds.bit_length() - 1) if left_seconds > 0 else 0


def entry(delay_seconds: int) -> tuple[int, str]:
    """Return the level a delay enters at and its routing key, most significant bit first.

    Args:
        delay_seconds: from 1 to `DELAY_SECONDS_MAX`.

    """
    bits = ".".join(format(delay_seconds, f"0{LEVELS}b"))
    return delay_seconds.bit_length() - 1, f"{bits}.{DUE}"


def waits_here(level: int) -> str:
    """Return the binding pattern of messages that wait at *level*."""
    return _pattern(level, "1")


def passes_by(level: int) -> str:
    """Return the binding pattern of messages that pass *level* by."""
    return _pattern(level, "0")


def _pattern(level: int, bit: str) -> str:
    return ".".join([*["*"] * (LEVELS - 1 - level), bit, "#"])
