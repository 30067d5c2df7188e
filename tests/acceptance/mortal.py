"""Generators that are in the middle when their worker dies, in a module a worker process can be given."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from broker_actors import Ref, actor, method, turn


@actor(partitions=1)
class Mortal:
    """Yields the same each time, or not."""

    @method
    async def steady(self, count: int) -> AsyncIterator[int]:
        for n in range(1, count + 1):
            yield n

    written: int = 0

    @method.options(resumable=True)
    async def writing(self, count: int) -> AsyncIterator[int]:
        for n in range(turn.current().resume_from + 1, count + 1):
            async with turn():
                self.written += 1
            yield n

    @method
    def read(self) -> int:
        return self.written

    @method
    async def moody(self, count: int) -> AsyncIterator[str]:
        for n in range(1, count + 1):
            yield f"{n} of {os.getpid()}"

    @method.options(resumable=True)
    async def resuming(self, count: int) -> AsyncIterator[str]:
        for n in range(turn.current().resume_from + 1, count + 1):
            yield f"{n} of {os.getpid()}"

    @method
    async def blob(self, pieces: int, size_bytes: int) -> AsyncIterator[bytes]:
        for n in range(pieces):
            yield n.to_bytes(4, "big") * (size_bytes // 4)

    @method
    async def endless(self, path: str) -> AsyncIterator[int]:
        try:
            n = 0
            while True:
                n += 1
                yield n
        finally:
            with open(path, "w") as file:  # noqa: ASYNC230, PTH123 - a few bytes, to be seen from another process
                file.write("cleaned")


class MortalRef(Mortal, Ref):
    """Typed handle."""
