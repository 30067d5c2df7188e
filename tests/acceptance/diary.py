"""An actor that remembers when it was told what."""

from __future__ import annotations

import time

from broker_actors import Ref, actor, method


@actor(partitions=4)
class Diary:
    """Remembers every number it was told and when, in Unix seconds, in order."""

    entries: list[tuple[int, float]]

    def __init__(self) -> None:
        self.entries = []

    @method
    def note(self, number: int) -> None:
        self.entries.append((number, time.time()))

    @method
    def count(self) -> int:
        return len(self.entries)

    @method
    def read(self) -> list[tuple[int, float]]:
        return self.entries


class DiaryRef(Diary, Ref):
    """Typed handle."""
