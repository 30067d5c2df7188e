from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Final

import pytest

from broker_actors import ActorSystem, Worker, actor, method
from broker_actors.core.address import Address
from broker_actors.runtime.running import Running
from broker_actors.worker.dump import dump, snapshot
from broker_actors.worker.probe import WorkerProbe
from broker_actors.worker.pulse import Pulse
from broker_actors.worker.status import Status

#: A guard against hanging, not a measurement.
HANG_SECONDS: Final = 30


class Gate:
    """Where methods of these tests wait."""

    entered: asyncio.Event
    left: asyncio.Event
    thread: threading.Event


@actor
class Waiter:
    @method
    async def wait(self) -> None:
        await asyncio.wait_for(self.waited_for(), HANG_SECONDS)

    async def waited_for(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.grouped())

    async def grouped(self) -> None:
        await asyncio.wait([asyncio.create_task(self.deepest())])

    async def deepest(self) -> None:
        async for _ in self.items():
            Gate.entered.set()
            await Gate.left.wait()

    async def items(self) -> AsyncIterator[int]:
        yield 1

    @method
    def nothing(self) -> None: ...

    @method.options(run_in="thread")
    def wait_in_thread(self) -> None:
        asyncio.run_coroutine_threadsafe(_enter(), _loops[0])
        Gate.thread.wait(HANG_SECONDS)

    @method
    def hold(self) -> str:
        """Hold the loop until another thread has looked at it."""
        found: list[str] = []

        def look() -> None:
            while not _pulses[0].is_blocked:
                pass
            found.extend((_probes[0].dump(), *_probes[0].alive().reasons, *_probes[0].ready().reasons))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join(HANG_SECONDS)
        return "\n---\n".join(found)


_loops: list[asyncio.AbstractEventLoop] = []
_pulses: list[Pulse] = []
_probes: list[WorkerProbe] = []


async def _enter() -> None:
    Gate.entered.set()


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    async with ActorSystem.connect("memory://") as system:
        yield system


@pytest.fixture
async def worker(system: ActorSystem) -> AsyncIterator[Worker]:
    Gate.entered, Gate.left, Gate.thread = asyncio.Event(), asyncio.Event(), threading.Event()
    pulse = Pulse(0.2)
    pulse.start()
    probe = WorkerProbe(pulse)
    _loops[:], _pulses[:], _probes[:] = [asyncio.get_running_loop()], [pulse], [probe]
    async with Worker(system, Waiter) as worker:
        probe.subject = worker
        yield worker
        Gate.left.set()
        Gate.thread.set()
    pulse.stop()


async def test_a_turn_is_shown_with_what_it_awaits_through_tasks_and_what_waits_behind_it(
    system: ActorSystem, worker: Worker
) -> None:
    await system.ref("Waiter", "w1").wait.tell()
    await Gate.entered.wait()
    await system.ref("Waiter", "w1").nothing.tell()
    while worker.waiting != {Address("Waiter", "w1"): 1}:
        await system.ref("Waiter", "w2").call("nothing")
    text = await asyncio.to_thread(_probes[0].dump)
    assert "Waiter/w1.wait 'n:" in text
    assert "attempt 1: awaits, for 0." in text
    assert "1 wait behind it" in text
    for name in ("in wait", "in waited_for", "in grouped", "in deepest", "await Gate.left.wait()"):
        assert name in text


@pytest.mark.usefixtures("worker")
async def test_a_method_in_a_thread_is_shown_there(system: ActorSystem) -> None:
    await system.ref("Waiter", "w1").wait_in_thread.tell()
    await Gate.entered.wait()
    # The thread says that it is there a moment before it waits.
    while "in wait_in_thread\n    Gate.thread.wait(HANG_SECONDS)" not in _probes[0].dump():  # noqa: ASYNC110 - a blocked thread tells nobody
        await asyncio.sleep(0)


@pytest.mark.usefixtures("worker")
async def test_a_loop_that_is_held_up_is_seen_from_another_thread(system: ActorSystem) -> None:
    text, alive, *ready = str(await system.ref("Waiter", "w1").call("hold")).split("\n---\n")
    assert "Waiter/w1.hold 'n:" in text
    assert "holds the event loop, for " in text
    assert "in hold\n    thread.join(HANG_SECONDS)" in text
    assert "event loop: held up for " in text
    assert alive.startswith("the event loop has been held up for 0.")
    assert " by Waiter/w1.hold 'n:" in alive
    assert len(ready) == 1
    assert "\nheld up the event loop so far: Waiter.hold 1 times\n" in _probes[0].dump() + "\n"


@pytest.mark.usefixtures("worker")
async def test_an_idle_worker_is_alive_and_ready_and_says_little() -> None:
    assert _probes[0].alive().is_so
    assert _probes[0].ready().is_so
    lines = _probes[0].dump().splitlines()
    assert lines[1:4] == ["event loop: turns", "ready", "0 turns run, 0 deliveries wait in 0 lanes"]
    _probes[0].is_stopping = True
    assert _probes[0].ready().reasons == ("the worker is stopping",)


async def test_what_is_not_ready_says_why() -> None:
    pulse = Pulse(30)
    pulse.start()
    probe = WorkerProbe(pulse)
    assert probe.ready().reasons == ("the worker is starting",)
    assert "the worker is starting or has stopped" in probe.dump()
    probe.subject = _Away()
    assert probe.ready().reasons == ("the broker is away",)
    assert "not ready: the broker is away" in dump(probe.subject, pulse)
    assert "Waiter/w1: 2 wait" in probe.dump()
    pulse.stop()


async def test_a_loop_that_is_held_up_is_the_reason_and_not_what_follows_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pulse = Pulse(30)
    pulse.start()
    probe = WorkerProbe(pulse)
    probe.subject = _Away()
    monkeypatch.setattr(Pulse, "held_seconds", 5.5)
    # It may be held up for longer, and yet it is why the store looks silent.
    assert probe.alive().is_so
    assert probe.ready().reasons == ("the event loop has been held up for 5.5 s",)
    monkeypatch.setattr(Pulse, "held_seconds", 0.5)
    assert probe.ready().reasons == ("the broker is away",)
    pulse.stop()


def test_what_changes_while_it_is_read_is_read_again() -> None:
    attempts: list[int] = []

    def take() -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise RuntimeError("dictionary changed size during iteration")
        return len(attempts)

    assert snapshot(take) == 3


class _Away:
    """A worker without its broker."""

    @property
    def turns(self) -> list[Running]:
        return []

    @property
    def waiting(self) -> Mapping[Address, int]:
        return {Address("Waiter", "w1"): 2}

    @property
    def slow(self) -> Mapping[str, int]:
        return {}

    def status(self) -> Status:
        return Status(ready=False, reasons=("the broker is away",))
