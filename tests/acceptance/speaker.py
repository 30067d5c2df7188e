"""The actor the tests of streams talk to, and what a test sees and decides of its generators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from broker_actors import BusinessError, Ref, actor, method, turn


@dataclass
class Stage:
    """What the generators of one test do, step by step."""

    #: Opens the next step of `gated`.
    go: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    steps: int = 0
    cleaned: asyncio.Event = field(default_factory=asyncio.Event)
    resumed_from: list[int] = field(default_factory=list)
    _stepped: asyncio.Event = field(default_factory=asyncio.Event)

    def step(self) -> None:
        """Count a step."""
        self.steps += 1
        self._stepped.set()

    async def stepped(self, count: int) -> None:
        """Return when there were so many steps."""
        while self.steps < count:
            self._stepped.clear()
            await self._stepped.wait()


class SpeakerRef(Ref):
    """The actor of these tests, as its callers see it."""

    @method
    def gated(self, count: int) -> AsyncIterator[int]:
        raise NotImplementedError

    @method
    def many(self, count: int) -> AsyncIterator[bytes]:
        raise NotImplementedError

    @method
    def plainly(self, count: int) -> Iterator[int]:
        raise NotImplementedError

    @method
    def in_thread(self, count: int) -> Iterator[int]:
        raise NotImplementedError

    @method
    def failing(self, after: int) -> AsyncIterator[int]:
        raise NotImplementedError

    @method
    def refusing(self, after: int) -> AsyncIterator[int]:
        raise NotImplementedError

    @method
    def scribbling(self) -> AsyncIterator[int]:
        raise NotImplementedError

    @method
    def unsendable(self) -> AsyncIterator[object]:
        raise NotImplementedError

    @method
    def passing_on(self, other: str, count: int) -> AsyncIterator[int]:
        raise NotImplementedError

    @method
    def counting(self, count: int) -> AsyncIterator[int]:
        raise NotImplementedError

    @method
    async def add(self, n: int) -> int:
        raise NotImplementedError

    @method
    async def total(self, other: str, count: int) -> int:
        raise NotImplementedError


def speaker(stage: Stage) -> type:  # noqa: C901 - one actor of many small generators
    """Return the actor whose generators play on *stage*."""

    @actor(partitions=1, name="SpeakerRef")
    class Speaker:
        value: int = 0

        @method
        async def gated(self, count: int) -> AsyncIterator[int]:
            try:
                for n in range(1, count + 1):
                    await stage.go.acquire()
                    stage.step()
                    yield n
            finally:
                stage.cleaned.set()

        @method
        async def many(self, count: int) -> AsyncIterator[bytes]:
            try:
                for n in range(count):
                    stage.step()
                    yield b"%d" % n
            finally:
                stage.cleaned.set()

        @method
        def plainly(self, count: int) -> Iterator[int]:
            try:
                yield from range(1, count + 1)
            finally:
                stage.cleaned.set()

        @method.options(run_in="thread")
        def in_thread(self, count: int) -> Iterator[int]:
            yield from range(1, count + 1)

        @method
        async def failing(self, after: int) -> AsyncIterator[int]:
            stage.step()
            for n in range(1, after + 1):
                yield n
            text = "boom"
            raise ValueError(text)

        @method
        async def refusing(self, after: int) -> AsyncIterator[int]:
            for n in range(1, after + 1):
                yield n
            raise BusinessError("enough", "that was enough", {"after": after})

        @method
        async def scribbling(self) -> AsyncIterator[int]:
            yield 1
            self.value = 7

        @method
        async def unsendable(self) -> AsyncIterator[object]:
            yield 1
            yield object()

        @method
        async def passing_on(self, other: str, count: int) -> AsyncIterator[int]:
            async for n in turn.current().ref(SpeakerRef, other).plainly(count):
                yield n * 10

        @method
        async def counting(self, count: int) -> AsyncIterator[int]:
            for _ in range(count):
                async with turn():
                    self.value += 1
                yield self.value

        @method
        async def add(self, n: int) -> int:
            self.value += n
            return self.value

        @method
        async def total(self, other: str, count: int) -> int:
            return sum([n async for n in turn.current().ref(SpeakerRef, other).plainly(count)])

    return Speaker
