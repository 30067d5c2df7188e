"""Streaming calls, on embedded and real adapters: what arrives, when, and what stops them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from broker_actors import AskTimeoutError, BusinessError, SystemFaultError
from broker_actors.actor.stream import Stream
from broker_actors.adapters.memory.streams import MemoryStreams
from broker_actors.adapters.redis.streams import RedisStreams
from broker_actors.client import reading
from broker_actors.client.inbox import Inbox
from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import WINDOW_CHUNKS
from broker_actors.core.errors import (
    ConfigurationError,
    IdempotencyConflictError,
    InvalidArgumentsError,
    OutOfTurnError,
    PlatformError,
    ReplyGoneError,
    StreamCancelledError,
    StreamTakenOverError,
)
from broker_actors.core.events import TurnEnded
from broker_actors.ports.control import Listener
from broker_actors.ports.streams import Addition, Append, Producer, Take
from broker_actors.runtime import production
from tests.acceptance.conftest import Deployment
from tests.acceptance.speaker import SpeakerRef, Stage, speaker
from tests.acceptance.watching import HANG_SECONDS


@pytest.fixture(autouse=True)
def _only_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by itself in these tests, so that what a signal does is seen to come from it."""
    monkeypatch.setattr(production, "LOOK_SECONDS", 10 * HANG_SECONDS)
    monkeypatch.setattr(reading, "LOOK_SECONDS", 10 * HANG_SECONDS)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def in_time(event: asyncio.Event) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        await event.wait()


async def test_the_first_value_arrives_before_the_generator_takes_its_second_step(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").gated(2)
        stage.go.release()
        assert await stream.__anext__() == 1
        assert (stage.steps, stream.seq) == (1, 1)
        stage.go.release()
        assert [n async for n in stream] == [2]
    assert [e.outcome for e in deployment.watcher.of(TurnEnded)] == ["ok"]


async def test_the_actor_answers_other_calls_meanwhile(deployment: Deployment, stage: Stage) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        one = system.ref(SpeakerRef, "s1")
        stream = one.gated(3)
        stage.go.release()
        await stream.__anext__()
        assert [await one.add(5), await one.add(5)] == [5, 10]
        stage.go.release()
        stage.go.release()
        assert [n async for n in stream] == [2, 3]
        assert await one.add(0) == 10


async def test_awaiting_a_stream_gives_its_last_value(deployment: Deployment, stage: Stage) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        one = system.ref(SpeakerRef, "s1")
        assert await one.many(WINDOW_CHUNKS * 3) == b"%d" % (WINDOW_CHUNKS * 3 - 1)
        assert await one.plainly(0) is None


async def test_values_of_every_kind_of_generator_arrive_once_and_in_order(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        one = system.ref(SpeakerRef, "s1")
        count = WINDOW_CHUNKS * 2 + 5
        assert [n async for n in one.plainly(count)] == list(range(1, count + 1))
        assert [n async for n in one.in_thread(count)] == list(range(1, count + 1))
        assert [n async for n in one.passing_on("s2", 3)] == [10, 20, 30]
        assert await one.total("s2", 4) == 10


async def test_many_streams_of_one_actor_run_at_once(deployment: Deployment, stage: Stage) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage), running_max=2):
        streams = [system.ref(SpeakerRef, "s1").gated(1) for _ in range(5)]
        reading = [asyncio.ensure_future(stream.__anext__()) for stream in streams]
        for _ in streams:
            stage.go.release()
        assert await asyncio.gather(*reading) == [1] * 5


async def test_a_generator_goes_on_while_its_reader_is_signalled(
    deployment: Deployment, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    signalled, arrives = asyncio.Event(), asyncio.Event()
    signal, append = Inbox.signal, RedisStreams.append

    async def slowly(inbox: Inbox, listener: Listener) -> None:
        signalled.set()
        await arrives.wait()
        await signal(inbox, listener)

    async def as_in_a_cluster(
        streams: RedisStreams, call: CallId, producer: Producer, addition: Addition
    ) -> Append:
        # The reader's channel is on another node, so that no chunk can signal it.
        return await append(streams, call, replace(producer, caller=""), addition)

    monkeypatch.setattr(Inbox, "signal", slowly)
    monkeypatch.setattr(RedisStreams, "append", as_in_a_cluster)
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        pass
    stream = system.ref(SpeakerRef, "s1").many(5)
    # It waits before anybody yields.
    first = asyncio.ensure_future(stream.__anext__())
    backend = await deployment.backend()
    async with asyncio.timeout(HANG_SECONDS):
        while not (await backend.transport.depth("actors.SpeakerRef.g1.0")).ready:  # noqa: ASYNC110 - of a broker
            await asyncio.sleep(0.01)
        async with deployment.worker(speaker(stage)):
            await signalled.wait()
            await stage.stepped(5)
            arrives.set()
            assert [await first, *[value async for value in stream]] == [b"%d" % n for n in range(5)]


async def test_a_reader_that_waits_gets_small_values_with_their_signals(
    real: Deployment, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = asyncio.Queue[int]()
    take = RedisStreams.take

    async def noting(streams: RedisStreams, call: CallId, consumer: Listener, after: int, most: int) -> Take:
        found = await take(streams, call, consumer, after, most)
        if most:
            # Else it only renews its lease.
            taken.put_nowait(after)
        return found

    monkeypatch.setattr(RedisStreams, "take", noting)
    system = await real.system()
    async with real.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").gated(3)
        for n in range(1, 4):
            value = asyncio.ensure_future(stream.__anext__())
            if n > 1:
                # It asks for what follows the value before, once, and then waits.
                assert await taken.get() == n - 1
            stage.go.release()
            assert await value == n
        assert taken.empty()


async def test_a_value_whose_signal_comes_twice_and_late_arrives_once(
    real: Deployment, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    signalled, late = reading._Place.signalled, list[Callable[[], None]]()

    def twice(place: reading._Place, data: bytes) -> None:
        signalled(place, data)
        late.append(lambda: signalled(place, data))

    monkeypatch.setattr(reading._Place, "signalled", twice)
    system = await real.system()
    async with real.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").gated(4)
        got: list[int] = []
        for _ in range(4):
            value = asyncio.ensure_future(stream.__anext__())
            # It waits for the next one when those of before come again.
            await asyncio.sleep(0)
            for again in late:
                again()
            stage.go.release()
            got.append(await value)
        assert late
        assert got == [1, 2, 3, 4]


async def test_a_stalled_consumer_stops_the_generator_within_one_window(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        one = system.ref(SpeakerRef, "s1")
        stream = one.many(100_000)
        for _ in range(5):
            await stream.__anext__()
        await stage.stepped(WINDOW_CHUNKS)
        # Everything else goes on, so that it would have had the time to go too far.
        for n in range(20):
            await one.add(n)
        assert stage.steps <= 5 + WINDOW_CHUNKS
        for _ in range(WINDOW_CHUNKS):
            await stream.__anext__()
        await stage.stepped(WINDOW_CHUNKS + 5)
        await stream.aclose()
        await in_time(stage.cleaned)


@pytest.mark.parametrize("way", ["break", "aclose", "drop", "timeout", "exception", "cancelled await"])
async def test_leaving_a_stream_runs_the_finally_of_its_generator(
    deployment: Deployment, stage: Stage, way: str
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").gated(5)
        stage.go.release()
        match way:
            case "break":
                async for _ in stream:
                    break
            case "aclose":
                await stream.__anext__()
                await stream.aclose()
                await stream.aclose()
                assert [n async for n in stream] == []
            case "drop":
                await stream.__anext__()
                del stream
                gc.collect()
            case "timeout":
                await stream.__anext__()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(_drained(stream), 0.05)
            case "exception":
                with pytest.raises(ZeroDivisionError):
                    await _failing_over(stream)
            case _:
                draining = asyncio.ensure_future(_drained(stream))
                await stage.stepped(1)
                draining.cancel()
        await in_time(stage.cleaned)
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "cancelled")


async def _drained(stream: Stream[int]) -> None:
    async for _ in stream:
        pass


async def _failing_over(stream: Stream[int]) -> None:
    async for n in stream:
        assert n // 0


async def test_a_value_that_takes_too_long_cancels_the_generator(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").with_options(timeout=HANG_SECONDS).gated(2)
        stage.go.release()
        await stream.__anext__()
        # Only now, for the generator must have begun.
        cast("Any", stream)._values._timeout_seconds = 0.05
        with pytest.raises(
            AskTimeoutError, match=r"SpeakerRef/s1\.gated .*/s1/s%3A.* yielded nothing within 0\.05 s"
        ):
            await stream.__anext__()
        await in_time(stage.cleaned)


async def test_closing_the_system_cancels_what_it_reads(deployment: Deployment, stage: Stage) -> None:
    async with deployment.worker(speaker(stage)):
        system = await deployment.system()
        stream = system.ref(SpeakerRef, "s1").gated(5)
        stage.go.release()
        await stream.__anext__()
        waiting = asyncio.ensure_future(stream.__anext__())
        await asyncio.sleep(0)
        await system.__aexit__(None, None, None)
        with pytest.raises(PlatformError, match="closed"):
            await waiting
        await in_time(stage.cleaned)


async def test_a_stream_left_before_its_generator_began_never_begins(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        assert await system.ref(SpeakerRef, "s1").add(1) == 1
    stream = system.ref(SpeakerRef, "s1").gated(1)
    reading = asyncio.ensure_future(stream.__anext__())
    backend = await deployment.backend()
    async with asyncio.timeout(HANG_SECONDS):
        while not (await backend.transport.depth("actors.SpeakerRef.g1.0")).ready:  # noqa: ASYNC110 - of a broker
            await asyncio.sleep(0.01)
    reading.cancel()
    await stream.aclose()
    async with deployment.worker(speaker(stage)):
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "cancelled")
    assert stage.steps == 0


async def test_an_error_arrives_after_the_values_before_it_and_nothing_is_run_again(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").failing(40)
        seen = [await stream.__anext__() for _ in range(40)]
        with pytest.raises(SystemFaultError, match="ValueError: boom") as caught:
            await stream.__anext__()
        assert seen == list(range(1, 41))
        assert "boom" in caught.value.remote_traceback
        assert stage.steps == 1
        assert [n async for n in stream] == []


async def test_a_refusal_in_the_middle_keeps_code_and_details(deployment: Deployment, stage: Stage) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        with pytest.raises(BusinessError) as caught:
            await system.ref(SpeakerRef, "s1").refusing(3)
        assert (caught.value.code, caught.value.details) == ("enough", {"after": 3})


async def test_a_generator_cannot_write_and_cannot_yield_what_cannot_travel(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        one = system.ref(SpeakerRef, "s1")
        with pytest.raises(OutOfTurnError, match="value cannot be written here"):
            await one.scribbling()
        with pytest.raises(SystemFaultError, match="yielded what cannot be sent"):
            await one.unsendable()
        assert await one.add(0) == 0


async def test_a_generator_writes_in_sections_which_are_commits_of_their_own(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        one = system.ref(SpeakerRef, "s1")
        stream = one.counting(4)
        assert await stream.__anext__() == 1
        assert await one.add(10) >= 11
        await stream
        assert await one.add(0) == 14


async def test_what_yields_is_streamed_and_what_does_not_is_asked(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        untyped = system.ref("SpeakerRef", "s1")
        with pytest.raises(InvalidArgumentsError, match="stream it instead of asking"):
            await untyped.call("plainly", 3)
        with pytest.raises(InvalidArgumentsError, match="ask it instead of streaming"):
            await untyped.add.stream(3)
        assert [n async for n in untyped.plainly.stream(2)] == [1, 2]


async def test_a_stream_is_resumed_by_another_client_after_any_value(
    deployment: Deployment, stage: Stage
) -> None:
    system, other = await deployment.system(), await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").many(60)
        for _ in range(37):
            await stream.__anext__()
        resumed = other.resume(stream.call_id, after=30)
        assert [value async for value in resumed] == [b"%d" % n for n in range(30, 60)]
        assert resumed.seq == 60
        with pytest.raises(StreamTakenOverError, match="resumed by another consumer"):
            await stream
        assert [value async for value in system.resume(stream.call_id, after=58)] == [b"58", b"59"]


async def test_what_cannot_be_resumed_says_why(deployment: Deployment, stage: Stage) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").many(400)
        await stream
        with pytest.raises(ReplyGoneError, match="what follows value 3 is not kept"):
            await system.resume(stream.call_id, after=3)
        with pytest.raises(ReplyGoneError, match="does not hold this stream"):
            await system.resume("SpeakerRef/s1/never", after=3)
        with pytest.raises(ConfigurationError, match="no call id"):
            system.resume("nonsense")
        with pytest.raises(ConfigurationError, match="None is no call id, which is a text"):
            system.resume(cast("Any", None))
        with pytest.raises(ConfigurationError, match=r"after=2\.5 must be a whole number"):
            system.resume(stream.call_id, after=cast("Any", 2.5))
        left = system.ref(SpeakerRef, "s1").gated(5)
        stage.go.release()
        await left.__anext__()
        await left.aclose()
        with pytest.raises(StreamCancelledError, match="its consumer has left it"):
            await system.resume(left.call_id, after=1)


async def test_a_key_yields_once_and_is_read_again(deployment: Deployment, stage: Stage) -> None:
    system, other = await deployment.system(), await deployment.system()
    async with deployment.worker(speaker(stage)):
        for client in (system, other):
            keyed = client.ref(SpeakerRef, "s1").with_options(idempotency_key="once")
            assert [value async for value in keyed.many(3)] == [b"0", b"1", b"2"]
        assert stage.steps == 3
        with pytest.raises(IdempotencyConflictError, match="once"):
            await system.ref(SpeakerRef, "s1").with_options(idempotency_key="once").many(4)


async def test_a_key_whose_values_are_gone_says_so_instead_of_yielding_nothing(
    deployment: Deployment, stage: Stage
) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        keyed = system.ref(SpeakerRef, "s1").with_options(idempotency_key="once")
        await keyed.many(3)
        if isinstance(streams := system.backend.streams, MemoryStreams):
            streams._streams.clear()
        else:
            async with Redis.from_url(deployment.settings.redis_url) as redis:
                await redis.delete(*await redis.keys("ba:*:s*:2:s1:once"))
        with pytest.raises(ReplyGoneError, match="has yielded 3 values, and those after 0 are not kept"):
            await keyed.many(3)
        assert stage.steps == 3


async def test_one_task_at_a_time_reads_a_stream(deployment: Deployment, stage: Stage) -> None:
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        stream = system.ref(SpeakerRef, "s1").gated(1)
        first = asyncio.ensure_future(stream.__anext__())
        await asyncio.sleep(0)
        with pytest.raises(ConfigurationError, match="being read already"):
            await stream.__anext__()
        stage.go.release()
        assert await first == 1


async def test_another_worker_goes_on_where_one_was_stopped(deployment: Deployment, stage: Stage) -> None:
    system = await deployment.system()
    stream = system.ref(SpeakerRef, "s1").gated(3)
    async with deployment.worker(speaker(stage), drain_timeout_seconds=0.01):
        stage.go.release()
        assert await stream.__anext__() == 1
    await in_time(stage.cleaned)
    async with deployment.worker(speaker(stage)):
        for _ in range(3):
            stage.go.release()
        assert [n async for n in stream] == [2, 3]
    assert stage.steps == 4
