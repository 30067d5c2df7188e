"""What goes wrong around calls: cancelled, crashed, slow, full, expired. Embedded and on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from broker_actors import AskTimeoutError, MailboxFullError, Retry
from broker_actors.core.events import TurnEnded
from broker_actors.core.limiting import Terms, Waits
from broker_actors.patterns import CircuitBreaker, CircuitOpenError, Retrying, broadcast, each
from broker_actors.testing import VirtualClock
from tests.acceptance.bounds import bounded_deployment, filled
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef
from tests.acceptance.gate import Gate
from tests.acceptance.listeners import Listener, listener, listeners, numbered
from tests.acceptance.pressed import Scroll, ScrollRef
from tests.acceptance.speaker import SpeakerRef, Stage, speaker
from tests.acceptance.test_giving_up import ClerkRef, clerk
from tests.acceptance.watching import HANG_SECONDS

pytestmark = pytest.mark.embedded_first

#: A deadline that passes while a test waits for it.
SOON: Final = 1.0
#: Tries again at once.
AT_ONCE: Final = Retry(attempts=1_000, min_backoff=0, max_backoff=0)


@pytest.fixture(
    params=["embedded", pytest.param("real", marks=pytest.mark.verify)],
)
async def bounded(request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    async with bounded_deployment(request, Deployment) as deployment:
        yield deployment


async def test_a_cancelled_batch_ends_its_calls_where_they_run(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(listener(gate)):
        working = asyncio.create_task(
            each(lambda ref: ref.linger("hi"), listeners(system, *numbered(5)), concurrency=3)
        )
        await gate.holds(3)
        working.cancel()
        await gate.holds(0)
        assert gate.most == 3, "nothing else began"


async def test_a_slow_item_of_a_batch_ends_alone_where_it_runs(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    refs = listeners(system, "quick1", "hangs", "quick2")
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(listener(gate)):
        outcomes = await each(lambda ref: ref.linger("hi"), refs, timeout=SOON)
        await gate.holds(0)
    assert (len(outcomes.ok), outcomes.timeouts) == (2, [refs[1]])


async def test_what_a_batch_has_not_begun_in_time_never_runs(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    refs = listeners(system, "quick", "hangs", "never-begun")
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(listener(gate)):
        # Its actor lives, so that it is quick.
        assert await refs[0].heard() == []
        outcomes = await each(lambda ref: ref.linger("hi"), refs, concurrency=1, overall=SOON)
        await gate.holds(0)
    assert (len(outcomes.ok), outcomes.timeouts) == (1, refs[1:])
    assert gate.most == 1


async def test_a_full_mailbox_is_the_outcome_of_its_items_or_is_waited_for(bounded: Deployment) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll)
    for refused in (
        await each(scroll.note.tell, [0, 0]),
        await broadcast([scroll, system.ref(ScrollRef, "b")]).tell(Scroll.note, 0),
    ):
        assert [type(error) for _, error in refused.errors] == [MailboxFullError] * 2
    patient = scroll.with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(each(patient.note.tell, range(last + 1, last + 11)))
        async with bounded.worker(Scroll):
            assert len((await sending).ok) == 10
            assert await patient.read() == list(range(1, last + 11))


@pytest.mark.parametrize("pattern", ["batch", "broadcast"])
async def test_what_a_worker_had_begun_is_done_by_the_next_one(deployment: Deployment, pattern: str) -> None:
    first, second = Gate(), Gate()
    second.open.set()
    system = await deployment.system()
    refs = listeners(system, *numbered(4))
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        async with deployment.worker(listener(first), drain_timeout_seconds=0.0):
            calling = (
                each(lambda ref: ref.linger("hi"), refs)
                if pattern == "batch"
                else broadcast(refs).ask(Listener.linger, "hi")
            )
            working = tasks.create_task(calling)
            await first.holds(4)
        async with deployment.worker(listener(second)):
            outcomes = await working
    assert outcomes.values() == [f"l{n}: hi" for n in range(4)]


async def test_who_stops_waiting_for_a_place_leaves_the_line_at_once(deployment: Deployment) -> None:
    one, other = await deployment.system(), await deployment.system()
    places = one.backend.places
    async with asyncio.timeout(HANG_SECONDS), one.limiter("narrow", 1):
        waiting = asyncio.create_task(other.limiter("narrow", 1).__aenter__())
        while await places.take("narrow", "behind it", Terms(1, 1_000)) != Waits(1):
            # The one who looks leaves again, so as not to be first.
            await places.leave("narrow", "behind it")
        waiting.cancel()
        await asyncio.wait([waiting])
        assert await places.take("narrow", "behind it", Terms(1, 1_000)) == Waits(0)


async def test_a_breaker_opens_by_a_full_mailbox_and_closes_by_what_gets_in(bounded: Deployment) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    await filled(scroll)
    clock = VirtualClock()
    breaker = CircuitBreaker("scroll", failures=2, reset=10, timer=clock)
    for _ in range(2):
        with pytest.raises(MailboxFullError):
            await breaker.call(scroll.note.tell, 0)
    with pytest.raises(CircuitOpenError):
        await breaker.call(scroll.note.tell, 0)
    patient = scroll.with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
    clock.jump_to(clock.monotonic_seconds() + 10)
    async with bounded.worker(Scroll):
        await breaker.call(patient.note.tell, 0)
    assert breaker.state == "closed"


async def test_a_breaker_opens_by_an_actor_that_is_slow_and_spares_it(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    breaker = CircuitBreaker("listener", failures=2, reset=60)
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(listener(gate)):
        slow = system.ref(Listener, "hangs").with_options(timeout=SOON)
        for _ in range(2):
            with pytest.raises(AskTimeoutError):
                await breaker.call(slow.linger, "hi")
        with pytest.raises(CircuitOpenError):
            await breaker.call(slow.linger, "hi")
        await gate.holds(0)
        assert breaker.state == "open"
        assert await system.ref(Listener, "hangs").heard() == [], "and is free"


async def test_a_call_that_is_cancelled_in_a_breaker_ends_where_it_runs_and_counts_for_nothing(
    deployment: Deployment,
) -> None:
    gate = Gate()
    system = await deployment.system()
    breaker = CircuitBreaker("listener", failures=1, reset=60)
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(listener(gate)):
        ref = system.ref(Listener, "l")
        calling = asyncio.create_task(breaker.call(ref.linger, "hi"))
        await gate.holds(1)
        calling.cancel()
        await gate.holds(0)
        assert breaker.state == "closed"
        assert await breaker.call(ref.hear, "hi") == "l: hi"


async def test_a_retry_rides_out_a_full_mailbox(bounded: Deployment) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll)
    refused = asyncio.Event()

    def is_full(error: Exception) -> bool:
        refused.set()
        return isinstance(error, MailboxFullError)

    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        pace = Retry(attempts=10_000, min_backoff=0.01, max_backoff=0.01)
        sending = tasks.create_task(Retrying(pace, recoverable=is_full).call(scroll.note.tell, last + 1))
        await refused.wait()
        async with bounded.worker(Scroll):
            await sending
            await bounded.watcher.wait_for(TurnEnded, count=last + 1)
            assert await scroll.read() == list(range(1, last + 2))


async def test_a_retry_outlasts_a_time_without_a_worker_and_takes_effect_once(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        pass
    expired = asyncio.Event()

    def is_late(error: Exception) -> bool:
        expired.set()
        return isinstance(error, AskTimeoutError)

    counter = system.ref(CounterRef, "c")
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        brief = counter.with_options(timeout=SOON, idempotency_key="order-42")
        asking = tasks.create_task(Retrying(AT_ONCE, recoverable=is_late).call(brief.increment, 5))
        await expired.wait()
        async with deployment.worker(Counter):
            assert await asking == 5
            assert await counter.get() == 5


async def test_who_is_cancelled_between_two_attempts_makes_no_other(deployment: Deployment) -> None:
    system = await deployment.system()
    failed = asyncio.Event()

    def always(_: Exception) -> bool:
        failed.set()
        return True

    async with asyncio.timeout(HANG_SECONDS), deployment.worker(Counter):
        patient = Retrying(Retry(attempts=2, min_backoff=600, max_backoff=600), recoverable=always)
        asking = asyncio.create_task(patient.call(system.ref(CounterRef, "c").refuse, 1))
        await failed.wait()
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        assert len(deployment.watcher.of(TurnEnded)) == 1


async def test_an_interleaved_call_ends_at_its_deadline_where_it_runs(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(clerk(gate)):
        ref = system.ref(ClerkRef, "c1")
        with pytest.raises((AskTimeoutError, TimeoutError)):
            await ref.with_options(timeout=SOON).work_beside("late")
        await gate.holds(0)
        gate.open.set()
        assert await ref.work_beside("in time") == ["in time"]


async def test_a_stream_whose_deadline_passed_before_its_generator_began_never_begins(
    deployment: Deployment,
) -> None:
    stage = Stage()
    system = await deployment.system()
    async with deployment.worker(speaker(stage)):
        pass
    speaking = system.ref(SpeakerRef, "s1")
    with pytest.raises(AskTimeoutError, match="yielded nothing"):
        await speaking.with_options(timeout=SOON).many(1).__anext__()
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(speaker(stage)):
        # It comes after the stream that nobody waits for.
        assert await speaking.add(1) == 1
        assert stage.steps == 0
