"""Actors under more load than they can bear, in a module a worker process can be given."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

from broker_actors import Ref, actor, method


@actor(partitions=1)
class Scroll:
    """Remembers every number it was told, in order."""

    may_go: ClassVar[asyncio.Event]
    numbers: list[int]

    def __init__(self) -> None:
        self.numbers = []

    @method
    def note(self, number: int) -> int:
        self.numbers.append(number)
        return len(self.numbers)

    @method
    def read(self) -> list[int]:
        return self.numbers

    @method
    async def wait(self) -> None:
        await Scroll.may_go.wait()

    @method
    async def count(self, upto: int) -> AsyncIterator[int]:
        for n in range(upto):
            yield n


class ScrollRef(Scroll, Ref):
    """Typed handle."""


@actor(partitions=1)
class Mill:
    """Takes a second over everything it is given."""

    seconds: ClassVar[float] = 1.0

    @method
    async def grind(self, grain: bytes) -> int:
        await asyncio.sleep(self.seconds)
        return len(grain)


class MillRef(Mill, Ref):
    """Typed handle."""


@actor(partitions=1)
class Scale:
    """Weighs the process it is in."""

    @method
    def resident_bytes(self) -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")


class ScaleRef(Scale, Ref):
    """Typed handle."""
