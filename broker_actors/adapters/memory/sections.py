"""How far the interleaved turns of one actor are, in memory."""

from __future__ import annotations

from broker_actors.ports.sections import SectionMark


class MemorySections:
    """By interleaved turn that is not over, its last section; all are forgotten together."""

    __slots__ = ("_kept_until_ms", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._kept_until_ms = 0

    def mark(self, mark: SectionMark, now_ms: int) -> None:
        """Remember how far a turn is, or forget it."""
        if mark.number:
            self._numbers[mark.turn] = mark.number
            self._kept_until_ms = now_ms + mark.retention_seconds * 1000
        else:
            self._numbers.pop(mark.turn, None)

    def number(self, turn: str, now_ms: int) -> int:
        """Return the last section of *turn*; 0 for none."""
        if self._kept_until_ms <= now_ms:
            self._numbers.clear()
        return self._numbers.get(turn, 0)
