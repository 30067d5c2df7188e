"""Streams whose reader is not one task that reads to the end: closed, left, or read by two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker_actors import Ref, actor, method, turn
from broker_actors.actor.stream import Stream
from broker_actors.client import reading
from broker_actors.core.errors import ConfigurationError, OrderError, ReplyGoneError, StreamCancelledError
from broker_actors.core.events import TurnEnded
from broker_actors.runtime import production
from tests.acceptance.conftest import Deployment
from tests.acceptance.speaker import SpeakerRef, Stage, speaker
from tests.acceptance.watching import HANG_SECONDS

pytestmark = pytest.mark.embedded_first


@pytest.fixture(autouse=True)
def _only_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(production, "LOOK_SECONDS", 10 * HANG_SECONDS)
    monkeypatch.setattr(reading, "LOOK_SECONDS", 10 * HANG_SECONDS)


@pytest.mark.parametrize("has_begun", [True, False])
async def test_closing_a_stream_ends_the_task_that_reads_it(
    deployment: Deployment, *, has_begun: bool
) -> None:
    stage, system = Stage(), await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").gated(5)
        if has_begun:
            stage.go.release()
            await stream.__anext__()
        elsewhere = asyncio.ensure_future(_all_of(stream))
        await asyncio.sleep(0)
        await stream.aclose()
        async with asyncio.timeout(HANG_SECONDS):
            with pytest.raises(StreamCancelledError, match="closed by another task"):
                await elsewhere
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "cancelled")


async def test_a_second_reader_is_refused_and_the_first_goes_on(deployment: Deployment) -> None:
    stage, system = Stage(), await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").gated(3)
        first = asyncio.ensure_future(_all_of(stream))
        await asyncio.sleep(0)
        with pytest.raises(ConfigurationError, match="being read already"):
            await _all_of(stream)
        for _ in range(3):
            stage.go.release()
        async with asyncio.timeout(HANG_SECONDS):
            assert await first == [1, 2, 3]


async def test_a_stream_that_was_left_does_not_look_as_if_it_had_ended(deployment: Deployment) -> None:
    stage, system = Stage(), await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").gated(5)
        stage.go.release()
        async for _ in stream:
            break
        with pytest.raises(StreamCancelledError, match="was left by its reader"):
            await stream


async def test_resuming_behind_the_end_of_a_stream_is_not_waited_for(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(Stage())):
        stream = system.ref(SpeakerRef, "s1").with_options(idempotency_key="once").many(3)
        await stream
        with pytest.raises(ReplyGoneError, match="has ended before value 900"):
            await system.resume(stream.call_id, after=900)


async def test_a_stream_that_would_overtake_a_tell_of_its_turn_is_refused(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Page):
        with pytest.raises(OrderError, match="Page/p2"):
            await system.ref(PageRef, "p1").tell_then_stream("p2")
        assert await system.ref(PageRef, "p1").stream_then_tell("p2") == [0]
        assert await system.ref(PageRef, "p2").lines() == 1


async def _all_of(stream: Stream[int]) -> list[int]:
    return [n async for n in stream]


@actor(partitions=1)
class Page:
    count: int = 0

    @method
    def write(self) -> None:
        self.count += 1

    @method
    async def lines(self) -> AsyncIterator[int]:
        yield self.count

    @method
    async def tell_then_stream(self, other: str) -> list[int]:
        page = turn.current().ref(PageRef, other)
        # Nothing of a stream is sent before it is first used.
        lines = page.lines()
        await page.write.tell()
        return await _all_of(lines)

    @method
    async def stream_then_tell(self, other: str) -> list[int]:
        page = turn.current().ref(PageRef, other)
        lines = await _all_of(page.lines())
        await page.write.tell()
        return lines


class PageRef(Page, Ref):
    """A handle on a page."""
