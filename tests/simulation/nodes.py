"""The processes of a simulation: workers and clients, as a deployment would start them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Final
from unittest.mock import patch

from broker_actors import ActorSystem
from broker_actors.actor.spec import spec_of
from broker_actors.adapters.memory import store as memory_store
from broker_actors.adapters.memory.groups import MemoryGroups
from broker_actors.adapters.memory.places import MemoryPlaces
from broker_actors.bootstrap.backend import Backend
from broker_actors.core import topology
from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Event, StoreRolledBack
from broker_actors.core.member import Member
from broker_actors.ports.clock import Clock
from broker_actors.runtime import relay
from broker_actors.settings import Settings
from broker_actors.worker import worker as worker_module
from broker_actors.worker.worker import Worker
from tests.simulation.actors import BlockingBook, Book, OtherBook
from tests.simulation.loop import NODE, WORLD
from tests.simulation.ports import SimMembers, SimReplies, SimStorePort, SimTransport
from tests.simulation.scenarios import Scenario
from tests.simulation.workload import Call, make
from tests.simulation.world import World

#: A worker whose start failed is started again by whoever supervises it.
RESTART_SECONDS: Final = 0.5
#: Made once: every node of every seed declares it.
_COMMON: Final = tuple(topology.common())
_OF_BOOK: Final = tuple(topology.of(spec_of(Book).layout))


class Noting:
    """Implements `ports.observer.Observer`: what happens goes into the history."""

    def __init__(self, world: World) -> None:
        self._world = world

    def observe(self, event: Event) -> None:
        """Note *event*."""
        self._world.note(type(event).__name__, event)
        if isinstance(event, StoreRolledBack):
            self._world.said_back.add(event.address)


class Nodes:
    """The processes of one seed."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world = world
        self._blocks = scenario.blocks
        self._settings = Settings.model_construct(
            url="memory://",
            drain_timeout_seconds=3.0,
            prefetch=scenario.prefetch,
            running_max=scenario.running_max,
            residents_max=3,
        )
        world.loop.let_kill(self._killed)
        #: How many of them are not to be stopped in order.
        self.workers_min = 0 if scenario.disturbs else 1
        self._stops: dict[str, asyncio.Event] = {}
        #: Workers of another layout, which must never get to work.
        self._others: set[str] = set()
        self.transports: dict[str, SimTransport] = {}
        #: Clients that still have something to do.
        self.busy: set[str] = set()

    @property
    def workers(self) -> list[str]:
        """Those that live, frozen ones included."""
        return [name for name in self._stops if not self._world.loop.is_gone(name)]

    @property
    def clients(self) -> list[str]:
        """Those that live and have something to do."""
        return [name for name in sorted(self.busy) if not self._world.loop.is_gone(name)]

    def start_worker(self, *, other: bool = False) -> str:
        """Start one more; an *other* one has another layout of the same type."""
        name = f"w{len(self.transports)}"
        if other:
            self._others.add(name)
        self._stops[name] = asyncio.Event()
        self.transports[name] = SimTransport(self._world, name)
        self._world.note("start", name)
        self._world.loop.spawn(name, self._work(name))
        return name

    def stop_worker(self, name: str) -> None:
        """Stop *name* in order."""
        self._world.note("stop", name)
        self._stops.pop(name).set()
        self._world.stopped.add(name)

    def _killed(self) -> None:
        """Let the node that runs die, and whoever supervises it start another."""
        self._world.crash(NODE.get(), "killed by a message")
        self._world.loop.call_as(WORLD, RESTART_SECONDS, self.start_worker)

    def start_client(self, name: str, lines: list[list[Call]]) -> None:
        """Start a client that makes the calls of *lines*, the lines beside each other."""
        self.transports[name] = SimTransport(self._world, name)
        self.busy.add(name)
        self._world.loop.spawn(name, self._call(name, lines))

    async def _work(self, name: str) -> None:
        stop = self._stops[name]
        try:
            while not stop.is_set():
                try:
                    await self._run_worker(name, stop)
                except PlatformError as error:
                    self._world.note("could not start", name, repr(error))
                    await asyncio.sleep(RESTART_SECONDS)
            await self.transports[name].close()
        except Exception as error:  # noqa: BLE001 - whatever kills a worker is what is looked for
            self._failed(f"worker {name} died: {error!r}")

    def _failed(self, problem: str) -> None:
        if not self._world.loop.over:
            self._world.problems.append(problem)

    async def _run_worker(self, name: str, stop: asyncio.Event) -> None:
        # Not `async with`: when a seed is over, what was cut off must not begin to stop in order.
        system = await self._system(name).__aenter__()
        book = OtherBook if name in self._others else BlockingBook if self._blocks else Book
        try:
            worker = await Worker(system, book).__aenter__()
        except PlatformError:
            await system.__aexit__(None, None, None)
            raise
        if name in self._others:
            self._failed(f"worker {name} works with another layout")
        await worker.run(stop)
        await worker.stop()
        await system.__aexit__(None, None, None)

    async def _call(self, name: str, lines: list[list[Call]]) -> None:
        system = await self._system(name).__aenter__()
        try:
            await asyncio.gather(*(self._one_by_one(line, system) for line in lines))
        except Exception as error:  # noqa: BLE001 - a call may raise nothing but what it documents
            self._failed(f"client {name}: {error!r}")
        # It stays open, for a process that ends would lose what it has not sent.
        self.busy.discard(name)

    async def _one_by_one(self, calls: list[Call], system: ActorSystem) -> None:
        for _, together in groupby(calls, lambda call: call.burst):
            await asyncio.gather(*(make(call, system, self._world) for call in together))

    def _system(self, name: str) -> ActorSystem:
        world, observer = self._world, Noting(self._world)
        backend = Backend(
            self.transports[name],
            SimStorePort(world),
            SimReplies(world, observer),
            SimMembers(world),
            world.clock(),
            observer,
            world.streams,
            MemoryGroups(),
            MemoryPlaces(world.clock()),
        )
        return ActorSystem(self._settings, observer=observer, backend=backend)


@contextmanager
def hurried() -> Iterator[None]:
    """Let what is done now and then be done at intervals that fit a short seed."""

    def member(types: frozenset[str], clock: Clock) -> Member:
        # Not the machine's name and process, which decide who is given what.
        return Member(f"{NODE.get()}:{clock.token()[:4]}", types)

    with (
        patch.object(worker_module, "_member", member),
        patch.multiple(
            worker_module,
            BEAT_SECONDS=1.5,
            TICK_SECONDS=2.5,
            PROBE_SECONDS=20.0,
            SWEEP_SECONDS=2.0,
            LOOK_SECONDS=3.0,
        ),
        patch.object(topology, "common", lambda: _COMMON),
        patch.object(topology, "of", lambda _layout: _OF_BOOK),
        patch.object(relay, "LEFTOVER_SECONDS", 3.0),
        patch.object(relay, "OVERDUE_SECONDS", 3.0),
        patch.object(memory_store, "SENDERS_MAX", 1),
    ):
        yield
