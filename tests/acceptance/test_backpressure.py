"""A mailbox that is full says so, or lets its senders wait; a worker takes no more than its window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import pytest

from broker_actors import MailboxFullError, Settings
from broker_actors.client import room
from broker_actors.core.events import Trouble, TurnEnded
from broker_actors.core.retry import Retry
from broker_actors.runtime import relay
from tests.acceptance.bounds import bounded_deployment, filled
from tests.acceptance.conftest import Deployment
from tests.acceptance.pressed import MillRef, Scale, ScaleRef, Scroll, ScrollRef
from tests.acceptance.processes import process

HANG_SECONDS: Final = 25.0
WAITING: Final = 20
#: Less than a worker takes at a time.
CROWD: Final = 400

GRAIN_BYTES: Final = 64 * 1024
MILLS: Final = 20
#: Some ten times what the mills grind in the meantime.
LOADS: Final = 800
PREFETCH: Final = 50
#: Well above a window of 3 MB and what surrounds it, far below the 50 MB that are sent.
GROWTH_BYTES_MAX: Final = 15_000_000


@pytest.fixture(params=["embedded", "real"])
async def bounded(request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    """A deployment whose mailboxes hold little, and have been declared."""
    async with bounded_deployment(request, Deployment) as deployment:
        yield deployment


async def noted(deployment: Deployment, count: int) -> None:
    await deployment.watcher.wait_for(TurnEnded, lambda event: event.method == "note", count)


async def test_a_full_mailbox_refuses_tells_and_asks_and_says_which(bounded: Deployment) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll)
    with pytest.raises(MailboxFullError, match=r"mailbox actors\.Scroll\.g1\.0 is full .* Scroll/a\.note: "):
        await scroll.note.tell(0)
    async with asyncio.timeout(HANG_SECONDS):
        with pytest.raises(MailboxFullError, match=r"Scroll/b\.read: .*`broker-actors mailboxes`"):
            await system.ref(ScrollRef, "b").with_options(timeout=2 * HANG_SECONDS).read()
        with pytest.raises(MailboxFullError, match=r"Scroll/b\.count"):
            await system.ref(ScrollRef, "b").count(3).__anext__()
    async with bounded.worker(Scroll):
        await noted(bounded, last)
        assert await scroll.read() == list(range(1, last + 1))


async def test_calls_that_wait_are_sent_when_there_is_room_in_their_order(bounded: Deployment) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll)
    patient = scroll.with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
    async with asyncio.TaskGroup() as tasks:
        numbers = range(last + 1, last + 1 + WAITING)
        waiting = [tasks.create_task(patient.note.tell(number)) for number in numbers]
        asked = tasks.create_task(patient.read())
        streamed = tasks.create_task(patient.count(2).__anext__())
        # Whoever does not wait is refused as before, and those who wait are still there.
        with pytest.raises(MailboxFullError):
            await scroll.note.tell(0)
        assert not any(task.done() for task in (*waiting, asked, streamed))
        async with bounded.worker(Scroll):
            await noted(bounded, last + WAITING)
            await asyncio.wait([*waiting, asked, streamed])
    assert asked.result() == list(range(1, last + 1 + WAITING))
    assert streamed.result() == 0


async def test_once_the_first_is_through_those_behind_it_do_not_pause(
    bounded: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = 0

    class Counted(Retry):
        def backoff_seconds(self, attempt: int, chance: float) -> float:
            nonlocal pauses
            pauses += 1
            return super().backoff_seconds(attempt, chance)

    monkeypatch.setattr(room, "PACE", Counted(min_backoff=0.05, max_backoff=1.0))
    system = await bounded.system()
    await filled(system.ref(ScrollRef, "a"))
    patient = [
        system.ref(ScrollRef, name).with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
        for name in "bcdef"
    ]
    waiting = [asyncio.create_task(patient[n % 5].note.tell(n)) for n in range(CROWD)]
    async with bounded.worker(Scroll), asyncio.timeout(HANG_SECONDS):
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        before = pauses
        await asyncio.gather(*waiting)
        assert pauses - before < CROWD / 4
        for n, scroll in enumerate(patient):
            assert await scroll.read() == list(range(n, CROWD, 5))


async def test_a_call_waits_as_long_as_it_may_and_then_has_not_been_sent(bounded: Deployment) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll)
    with pytest.raises(MailboxFullError, match=r"it was full for 0\.1 s"):
        await scroll.with_options(wait_if_full=0.1).note.tell(0)
    async with bounded.worker(Scroll):
        assert await scroll.with_options(wait_if_full=HANG_SECONDS).note(-1) == last + 1
        assert await scroll.read() == [*range(1, last + 1), -1]


async def test_those_behind_the_first_in_line_wait_no_longer_than_they_may(bounded: Deployment) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    await filled(scroll)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(scroll.with_options(wait_if_full=HANG_SECONDS).note.tell(1))
        # It is on its way before the next one.
        await asyncio.sleep(0)
        with pytest.raises(
            MailboxFullError, match=r"no room for this call for 0\.1 s, and 1 calls of this process wait"
        ):
            await scroll.with_options(wait_if_full=0.1).note.tell(2)
        first.cancel()
    # Nobody is left in line: this one is the first.
    with pytest.raises(MailboxFullError, match=r"it was full for 0\.1 s"):
        await scroll.with_options(wait_if_full=0.1).note.tell(3)


async def test_an_ask_that_could_not_be_sent_says_so_and_not_that_it_may_have_run(
    bounded: Deployment,
) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    await filled(scroll)
    with pytest.raises(MailboxFullError, match=r"it was full for 0\.9 s"):
        await scroll.with_options(wait_if_full=HANG_SECONDS, timeout=1).read()


async def test_an_ask_that_waits_for_its_answer_keeps_nobody_waiting_for_room(bounded: Deployment) -> None:
    Scroll.may_go = asyncio.Event()
    system = await bounded.system()
    patient = system.ref(ScrollRef, "a").with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
    await filled(patient.with_options(wait_if_full=0))
    # So that the ask leaves in the first step of its task, and is the first in line.
    await system.client.inbox.open()
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(patient.wait())
        await asyncio.sleep(0)
        told = tasks.create_task(patient.note.tell(0))
        async with bounded.worker(Scroll):
            await told
            assert not asked.done()
            Scroll.may_go.set()
            await asked


async def test_who_waits_for_room_outlives_a_worker_that_goes(bounded: Deployment) -> None:
    Scroll.may_go = asyncio.Event()
    system = await bounded.system()
    patient = system.ref(ScrollRef, "a").with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
    last = await filled(patient.with_options(wait_if_full=0))
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        numbers = range(last + 1, last + 1 + WAITING)
        waiting = [tasks.create_task(patient.wait())]
        waiting += [tasks.create_task(patient.note.tell(number)) for number in numbers]
        with pytest.raises(MailboxFullError):
            await patient.with_options(wait_if_full=0).note.tell(0)
        assert not any(task.done() for task in waiting)
        # Given a worker that made some room, and went no further than the first of those who waited for it
        async with bounded.worker(Scroll, prefetch=1, drain_timeout_seconds=0.0):
            await noted(bounded, last)
        # When another one takes its place
        Scroll.may_go.set()
        async with bounded.worker(Scroll):
            await asyncio.gather(*waiting)
            # Then all that waited is there, once and in order
            assert await patient.read() == list(range(1, last + 1 + WAITING))


async def test_a_deployment_may_have_all_calls_wait(bounded: Deployment) -> None:
    system = await bounded.system(wait_if_full_seconds=HANG_SECONDS)
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll.with_options(wait_if_full=0))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scroll.note.tell(last + 1))
        async with bounded.worker(Scroll):
            await noted(bounded, last + 1)


async def test_what_comes_due_while_its_mailbox_is_full_comes_later(
    bounded: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "REFUSED_SECONDS", 1)
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll)
    # Any worker has a relay; this one drains no scroll.
    async with bounded.worker(Scale):
        await scroll.note.tell_after(1, last + 1)
        await bounded.watcher.wait_for(Trouble, lambda event: "Scroll.g1.0 is full" in event.error)
    async with bounded.worker(Scroll):
        await noted(bounded, last + 1)
        assert await scroll.read() == list(range(1, last + 2))


async def test_a_worker_holds_no_more_than_its_window_whatever_is_sent(
    amqp_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_PREFETCH", str(PREFETCH))
    settings = Settings(url=amqp_url, redis_url=redis_url)
    async with AsyncExitStack() as stack, asyncio.timeout(HANG_SECONDS):
        real = Deployment(settings, None, stack)
        system = await real.system()
        mills = [system.ref(MillRef, f"m{n}") for n in range(MILLS)]
        scale = system.ref(ScaleRef, "s")
        async with process(real, "worker", "tests.acceptance.pressed"):
            await asyncio.gather(*(mill.grind(b"") for mill in mills))
            before_bytes = most_bytes = await scale.resident_bytes()
            for start in range(0, LOADS, 100):
                await load(mills, range(start, start + 100))
                most_bytes = max(most_bytes, await scale.resident_bytes())
    assert most_bytes - before_bytes < GROWTH_BYTES_MAX


async def load(mills: list[MillRef], numbers: range) -> None:
    """Give the mills more to grind, in turn; return when the broker has it."""
    grain = bytes(GRAIN_BYTES)
    await asyncio.gather(*(mills[number % MILLS].grind.tell(grain) for number in numbers))
