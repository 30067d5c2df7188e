"""A method that holds up its whole process: what the others notice of it, within the bounds and past them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from broker_actors import ActorSystem, Ref, Settings, Worker, actor, method
from broker_actors.core.events import ConnectionLost, SlowTurn, TurnEnded
from tests.acceptance.watching import Watcher

MINUTE_SECONDS = 60.0
#: Past every lease, and well within the silence a broker bears by default.
SHORT_SECONDS = 12.0
LOOK_SECONDS = 0.1

pytestmark = [pytest.mark.verify, pytest.mark.timeout(240)]


@actor(partitions=1)
class Blocker:
    """Blocks, and notes in which order it was told what."""

    notes: list[int]

    def __init__(self) -> None:
        self.notes = []

    @method
    def block(self, seconds: float) -> str:
        time.sleep(seconds)  # noqa: TID251 - what this is about
        return "done"

    @method
    def note(self, n: int) -> None:
        self.notes.append(n)

    @method
    def read(self) -> list[int]:
        return self.notes


class BlockerRef(Blocker, Ref):
    """Typed handle."""


class Process:
    """A worker with a thread and a loop to itself, as if it were a process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.watcher = Watcher()
        self.name = ""
        self._loop = asyncio.new_event_loop()
        self._until = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        async with (
            ActorSystem(self._settings, observer=self.watcher) as system,
            Worker(system, Blocker) as worker,
        ):
            self.name = worker.name
            self._started.set()
            await worker.run(self._until)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start it, and stop it in the end."""
        self._thread.start()
        await asyncio.to_thread(self._started.wait)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._until.set)
            await asyncio.to_thread(self._thread.join)
            self._loop.close()


async def lived(system: ActorSystem, until: asyncio.Future[str]) -> list[set[str]]:
    """Return who was alive, look by look, until the call has ended."""
    seen: list[set[str]] = []
    while not until.done():
        seen.append({member.name for member, _ in await system.backend.members.everyone()})
        await asyncio.sleep(LOOK_SECONDS)
    return seen


async def held_up(settings: Settings, seconds: float) -> tuple[list[Process], list[set[str]]]:
    """Have one of two workers held up, and check what always holds; return them, and who was alive."""
    processes = [Process(settings) for _ in range(2)]
    plain = Settings(url=settings.url, redis_url=settings.redis_url)
    async with processes[0].running(), processes[1].running(), ActorSystem(plain) as system:
        ref = system.ref(BlockerRef, "b1").with_options(timeout=3 * MINUTE_SECONDS)
        await ref.note(0)
        blocking = asyncio.ensure_future(ref.block(seconds))
        for n in range(1, 51):
            await ref.note.tell(n)
        seen = await lived(system, blocking)
        assert await blocking == "done"
        assert await ref.read() == list(range(51)), "each once, in order"
    assert [event for process in processes for event in process.watcher.of(ConnectionLost)] == []
    slow = [event for process in processes for event in process.watcher.of(SlowTurn)]
    assert any(event.method == "block" and event.seconds >= seconds for event in slow)
    return processes, seen


async def test_a_minute_within_the_bounds_costs_neither_connection_nor_lease_nor_order(
    amqp_url: str, redis_url: str
) -> None:
    url = f"{amqp_url}?heartbeat={round(MINUTE_SECONDS)}"
    settings = Settings(url=url, redis_url=redis_url, max_loop_block_seconds=1.5 * MINUTE_SECONDS)
    processes, seen = await held_up(settings, MINUTE_SECONDS)
    assert {frozenset(names) for names in seen} == {frozenset(process.name for process in processes)}
    outcomes = {event.outcome for process in processes for event in process.watcher.of(TurnEnded)}
    assert outcomes == {"ok"}


async def test_past_its_bound_a_worker_counts_as_dead_and_comes_back(amqp_url: str, redis_url: str) -> None:
    settings = Settings(url=amqp_url, redis_url=redis_url, max_loop_block_seconds=1.0)
    _, seen = await held_up(settings, SHORT_SECONDS)
    assert 1 in {len(names) for names in seen}, "its lease has ended"
