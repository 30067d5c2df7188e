"""What the store remembers of interleaved turns that are not over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SectionMark:
    """How far an interleaved turn is: which of its sections are durable.

    Attributes:
        turn: names the turn; the same for all its runs.
        number: the section that this commit makes durable, from 1; 0 when the turn is over, and forgotten.
        retention_seconds: how long the actor's marks are kept after the last one.

    """

    turn: str
    number: int
    retention_seconds: int
