"""Streams of which one end dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from broker_actors import ActorSystem
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.memory.streams import MemoryStreams
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.streams import RedisStreams
from broker_actors.bootstrap.backend import Backend
from broker_actors.core.errors import StreamDivergedError
from broker_actors.core.events import TurnEnded
from broker_actors.runtime import production
from tests.acceptance.conftest import Deployment
from tests.acceptance.mortal import MortalRef
from tests.acceptance.processes import process
from tests.acceptance.speaker import SpeakerRef, Stage, speaker

#: A guard against hanging: interpreters start one after the other.
HANG_SECONDS = 50.0
COUNT, HALF = 100, 50


async def test_a_killed_worker_costs_no_value_and_doubles_none(real: Deployment) -> None:
    system = await real.system()
    one = system.ref(MortalRef, "m1").with_options(timeout=HANG_SECONDS)
    steady, moody, resuming = one.steady(COUNT), one.moody(COUNT), one.resuming(COUNT)
    writing = one.writing(COUNT)
    async with asyncio.timeout(HANG_SECONDS):
        async with process(real, "worker", "tests.acceptance.mortal"):
            seen = [await steady.__anext__() for _ in range(HALF)]
            first = [await moody.__anext__() for _ in range(HALF)]
            resumed = [await resuming.__anext__() for _ in range(HALF)]
            wrote = [await writing.__anext__() for _ in range(HALF)]
        async with process(real, "worker", "tests.acceptance.mortal"):
            seen += [n async for n in steady]
            resumed += [text async for text in resuming]
            wrote += [n async for n in writing]
            assert await one.read() == COUNT
            with pytest.raises(StreamDivergedError, match="value 1 is not what it was"):
                await moody
    assert seen == wrote == list(range(1, COUNT + 1))
    assert [int(text.split()[0]) for text in resumed] == list(range(1, COUNT + 1))
    processes = [text.split()[2] for text in resumed]
    # Not run again from the start: what the first one had yielded stays its own.
    assert processes[0] != processes[-1]
    assert len(set(processes)) == 2
    assert len(first) == HALF


@pytest.mark.verify
async def test_a_killed_consumer_stops_its_generator(real: Deployment, tmp_path: Path) -> None:
    mark = tmp_path / "cleaned"
    one = (await real.system()).ref(MortalRef, "m1").with_options(timeout=HANG_SECONDS)
    async with asyncio.timeout(HANG_SECONDS), process(real, "worker", "tests.acceptance.mortal"):
        await one.read()  # the command line knows only what a worker has declared
        async with process(real, "stream", "Mortal", "m1", "endless", str(mark)) as consumer:
            assert consumer.stdout is not None
            assert await consumer.stdout.readline() == b"1\n"
            consumer.kill()
        while not mark.exists():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)


async def test_a_consumer_not_heard_of_for_its_lease_stops_its_generator(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(production, "LOOK_SECONDS", 0.05)
    stage = Stage()
    backend = _impatient(await deployment.backend(), deployment)
    async with (
        _closing(backend),
        deployment.worker(speaker(stage)),
        ActorSystem(deployment.settings, observer=deployment.watcher, backend=backend) as dying,
    ):
        stream = dying.ref(SpeakerRef, "s1").gated(5)
        stage.go.release()
        assert await stream.__anext__() == 1
        # It renews no more, as a process that is gone.
        keeping = dying.client._streaming._keeping
        assert keeping is not None
        keeping.cancel()
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "cancelled")
        assert stage.cleaned.is_set()


@asynccontextmanager
async def _closing(backend: Backend) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await backend.streams.close()


def _impatient(backend: Backend, deployment: Deployment) -> Backend:
    """Return *backend* with leases so short that they have ended when somebody looks."""
    if deployment.is_real:
        settings = RedisSettings(deployment.settings.redis_url)
        return replace(backend, streams=RedisStreams(settings, deployment.watcher, lease_seconds=0.2))
    assert isinstance(backend.streams, MemoryStreams)
    assert isinstance(backend.store, MemoryStore)
    backend.streams._lease_seconds = 0.2
    return backend
