"""Generators whose steps block in threads: side by side, so many at a time, and left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from broker_actors import Ref, Settings, actor, method
from broker_actors.bootstrap.backend import Embedded
from broker_actors.core.events import LeftBehind, TurnEnded
from broker_actors.runtime import generators
from broker_actors.runtime.threads import THREADS_MAX
from tests.acceptance.conftest import Deployment
from tests.acceptance.watching import HANG_SECONDS

#: More than asyncio has threads of its own on any machine.
AT_ONCE = THREADS_MAX


@pytest.fixture
async def deployment() -> AsyncIterator[Deployment]:
    """Embedded: where a step runs has nothing to do with broker and store."""
    async with AsyncExitStack() as stack:
        yield Deployment(Settings(), Embedded(), stack)


class Valve:
    """What the generators of one test block on."""

    def __init__(self) -> None:
        self.blocked = threading.Event()
        self.open = threading.Event()
        self.cleaned = threading.Event()
        self.all_here = threading.Barrier(AT_ONCE)


class PipeRef(Ref):
    """The actor of these tests, as its callers see it."""

    @method
    def meet(self) -> Iterator[int]:
        raise NotImplementedError

    @method
    def drip(self) -> Iterator[int]:
        raise NotImplementedError

    @method
    async def ping(self) -> int:
        raise NotImplementedError


def pipe(valve: Valve) -> type:
    """Return the actor whose generators block on *valve*."""

    @actor(partitions=1, name="PipeRef")
    class Pipe:
        @method.options(run_in="thread")
        def meet(self) -> Iterator[int]:
            yield valve.all_here.wait(HANG_SECONDS)

        @method.options(run_in="thread")
        def drip(self) -> Iterator[int]:
            try:
                yield 1
                valve.blocked.set()
                valve.open.wait()
                yield 2
            finally:
                valve.cleaned.set()

        @method
        def ping(self) -> int:
            return 1

    return Pipe


async def test_as_many_generators_block_side_by_side_as_there_are_threads(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(pipe(Valve())):
        pipes = [system.ref(PipeRef, f"p{n}") for n in range(AT_ONCE)]
        async with asyncio.timeout(HANG_SECONDS):
            met = await asyncio.gather(*(_all_of(one) for one in pipes))
    assert sorted(n for (n,) in met) == list(range(AT_ONCE))


async def _all_of(one: PipeRef) -> list[int]:
    return [n async for n in one.meet()]


@pytest.mark.parametrize("way", ["its reader leaves", "its worker stops"])
async def test_a_step_that_blocks_is_left_behind(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(generators, "STEP_SECONDS_MAX", 0.05)
    valve, system = Valve(), await deployment.system()
    try:
        async with asyncio.timeout(HANG_SECONDS):
            async with deployment.worker(pipe(valve), drain_timeout_seconds=0.0):
                one = system.ref(PipeRef, "p1")
                stream = one.drip()
                assert await stream.__anext__() == 1
                second = asyncio.ensure_future(stream.__anext__())
                assert await asyncio.to_thread(valve.blocked.wait, HANG_SECONDS)
                assert await one.ping() == 1
                if way == "its reader leaves":
                    await stream.aclose()
                    await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "cancelled")
            [left] = await deployment.watcher.wait_for(LeftBehind)
            assert (str(left.address), left.method) == ("PipeRef/p1", "drip")
            assert not valve.cleaned.is_set()
            second.cancel()
            await asyncio.wait([second])
    finally:
        valve.open.set()
    # The thread lets go of the generator, which runs its `finally`.
    assert await asyncio.to_thread(valve.cleaned.wait, HANG_SECONDS)
