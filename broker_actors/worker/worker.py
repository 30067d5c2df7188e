"""Runs actors: consumes their mailboxes, relays what is due, stops in an orderly way.

Invariant: between start and stop every background task is awaited here, so that a worker
whose insides died says so and does not look alive.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Final, Self

from broker_actors.actor.spec import spec_of
from broker_actors.bootstrap.system import ActorSystem
from broker_actors.core.address import Address
from broker_actors.core.errors import ConfigurationError, PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.member import BEAT_SECONDS, Member, Report
from broker_actors.ports.clock import Clock
from broker_actors.ports.members import Members
from broker_actors.runtime.cancels import Cancels
from broker_actors.runtime.holding import Holding
from broker_actors.runtime.host import Host
from broker_actors.runtime.lookout import Lookout
from broker_actors.runtime.mailboxes import Mailboxes, Tuning
from broker_actors.runtime.offloaded import check_importable
from broker_actors.runtime.overdue import LOOK_SECONDS as OVERDUE_LOOK_SECONDS
from broker_actors.runtime.overdue import Overdue
from broker_actors.runtime.processes import Processes
from broker_actors.runtime.punctual import WINDOW as RELAY_WINDOW
from broker_actors.runtime.relay import MAILBOXES as RELAYED
from broker_actors.runtime.relay import SWEEP_SECONDS, Relay
from broker_actors.runtime.running import Capacity, Running
from broker_actors.runtime.services import Offload, Services
from broker_actors.runtime.sharing import Sharing
from broker_actors.runtime.slowness import Slowness
from broker_actors.runtime.stalls import LOOK_SECONDS, Stalls
from broker_actors.runtime.threads import Threads
from broker_actors.runtime.watchdog import PROBE_SECONDS, Watchdog
from broker_actors.worker.status import Status

#: What the tasks are called that only look around every few seconds: no message waits for any of it.
ROUTINE: Final = "worker routine"
#: How often idle actors and newly spawned dedicated mailboxes are looked for.
TICK_SECONDS: Final = 1.0
#: How long a worker that stops tries to tell the others.
SAY_SECONDS_MAX: Final = 2.0
#: How long turns wait for the mailboxes of a worker that starts to be consumed, all of them.
HOLD_SECONDS_MAX: Final = 5.0
#: Of what a worker says of its own health.
HEALTH_CHARACTERS_MAX: Final = 500
#: Of what tells two workers of one process apart.
NAME_CHARACTERS: Final = 8


class Worker:
    """Runs the given actor classes on a system until stopped.

    Use it as an async context manager around whatever the process does meanwhile, or call
    `run` to do nothing else.
    """

    def __init__(self, system: ActorSystem, *actors: type) -> None:
        """Prepare a worker.

        Args:
            system: an open actor system.
            actors: classes decorated with `@actor`.

        Raises:
            ConfigurationError: none is given, one is not decorated, or two share a type.

        """
        if not actors:
            raise ConfigurationError("a worker needs at least one actor class")
        specs = [spec_of(cls) for cls in actors]
        for spec in specs:
            if any(method.run_in == "process" for method in spec.methods.values()):
                check_importable(spec.cls)
        self._specs = {spec.type: spec for spec in specs}
        if len(self._specs) != len(specs):
            raise ConfigurationError("two of the actor classes have the same actor type")
        self._system = system
        backend = system.backend
        settings, clock, observer = system.settings, backend.clock, backend.observer
        self._services = Services(
            *(system.dispatch, backend.store, backend.replies, clock, observer, system.client),
            *(backend.streams, system.client.inbox),
            Offload(Threads(settings.threads_max), Processes(settings.processes_max)),
            *(Cancels(), Slowness(observer)),
            limiters=system.limiters,
        )
        me = _member(frozenset(self._specs), clock)
        self.name = me.name
        self._holding = Holding(backend.members, me.name, observer)
        capacity = Capacity(settings.running_max, settings.residents_max)
        self._host = Host(self._services, self._specs, self._holding, capacity=capacity)
        self._lookout = Lookout(self._services, self._host)
        self._relay = Relay(self._services)
        self._watchdog = Watchdog(me.name, backend.transport, clock, observer)
        tuning = Tuning(settings.prefetch, settings.drain_timeout_seconds)
        self._mailboxes = Mailboxes(backend.transport, clock, observer, tuning)
        self._relayed = Mailboxes(backend.transport, clock, observer, Tuning(RELAY_WINDOW))
        self._sharing = Sharing(me, backend.members, self._mailboxes, clock)
        self._overdue = Overdue(system.dispatch, backend.store, clock, observer, self.owns)
        self._background: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._entered = False
        self._stopping = False

    async def __aenter__(self) -> Self:
        """Start: return once every mailbox is consumed.

        Raises:
            TopologyMismatchError: a type's recorded layout is not the declared one.
            PlatformError: the broker or the store is unavailable.

        """
        if self._entered:
            raise ConfigurationError("a worker runs once: make a new one")
        self._entered = True
        try:
            for spec in self._specs.values():
                layout = await self._services.dispatch.layout(spec.type, spec.layout)
                self._sharing.share(layout.mailboxes(), spec.type, self._host)
            await self._share_dedicated()
            for mailbox in RELAYED:
                self._relayed.open(mailbox, "", self._relay)
            await self._watchdog.declare()
            self._relayed.open(self._watchdog.mailbox, "", self._watchdog)
            self._host.hold()
            await self._lookout.look()
            self._sharing.reached_by(await self._services.control.attend(self._services.cancels.cancel))
            await self._beat()
            await self._opened()
            # Said at once, for others may wait for it to give their mailboxes away.
            await self._beat()
        except BaseException:
            await self._close()
            raise
        self._background = asyncio.create_task(self._run_background())
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop: finish what runs within the drain deadline and give the rest back to the broker."""
        await self.stop()

    async def run(self, until: asyncio.Event) -> None:
        """Return when *until* is set.

        Raises:
            BaseException: what killed one of the worker's own tasks; only a bug can.

        """
        if self._background is None:
            raise PlatformError("the worker is not started: use `async with Worker(...)`")
        waiting = asyncio.ensure_future(until.wait())
        try:
            await asyncio.wait([waiting, self._background], return_when=asyncio.FIRST_COMPLETED)
            if self._failure is not None:
                raise self._failure
        finally:
            waiting.cancel()

    async def stop(self) -> None:
        """Stop in order: no new turns, wait for what runs, close the mailboxes, deactivate. Idempotent.

        Raises:
            BaseException: what killed one of the worker's own tasks before; only a bug can.

        """
        deadline_seconds = self._system.settings.drain_timeout_seconds
        self._stopping = True
        # Draining begins at once, also when the store takes its time to let the others know.
        leaving = self._said(self._sharing.leave(self._services.observer))
        is_quiet, _ = await asyncio.gather(self._host.drain(deadline_seconds), leaving)
        if not is_quiet:
            running = self._host.running
            text = f"{running} turns did not end within {deadline_seconds:g} s; they run again elsewhere"
            self._services.observer.observe(Trouble("drain", text))
        await self._close()

    def status(self) -> Status:
        """Return whether this worker does its work now. Safe to call from any thread."""
        if self._background is None:
            return Status(ready=False, reasons=("the worker is not running",))
        if self._stopping:
            return Status(ready=False, reasons=("the worker is stopping",))
        missing = {**self._mailboxes.missing, **self._relayed.missing}
        reasons = [f"{mailbox} is not consumed: {why}" for mailbox, why in missing.items()]
        reasons += [why for why in (self._sharing.silent, self._watchdog.trouble) if why]
        return Status(ready=not reasons, reasons=tuple(reasons))

    @property
    def members(self) -> Members:
        """The workers of this deployment."""
        return self._system.backend.members

    def owns(self, mailbox: str) -> bool:
        """Return whether *mailbox* is this worker's share, by what it knows."""
        return self._sharing.is_owner(mailbox)

    @property
    def served(self) -> list[str]:
        """The mailboxes the broker delivers to this worker from."""
        return [one.mailbox for one in self._mailboxes.subscriptions if one.is_served]

    @property
    def turns(self) -> list[Running]:
        """The turns that run, the oldest first."""
        return self._host.turns

    @property
    def waiting(self) -> Mapping[Address, int]:
        """How many deliveries wait in each lane that has any."""
        return self._host.waiting

    @property
    def slow(self) -> Mapping[str, int]:
        """How often each method has held up the event loop for over 10 ms, the most frequent first."""
        return self._services.slowness.counts

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing runs in this worker, and nothing is about to."""
        return self._host.is_at_rest

    @property
    def residents(self) -> int:
        """How many actors are live in this worker."""
        return self._host.residents

    async def _opened(self) -> None:
        """Return when every mailbox is consumed; turns begin then, or after a while.

        Turns of the first mailboxes would take the loop from the reading of what the last ones wait for.
        """
        opening = asyncio.gather(self._mailboxes.opened(), self._relayed.opened())
        try:
            await asyncio.wait([opening], timeout=HOLD_SECONDS_MAX)
            self._host.begin()
            await opening
        finally:
            opening.cancel()

    async def _close(self) -> None:
        background, self._background = self._background, None
        if background is not None:
            background.cancel()
            await asyncio.wait([background])
        # Before the mailboxes: whoever takes over then knows that nothing died.
        await self._holding.close()
        await self._mailboxes.close()
        await self._relayed.close()
        await self._relay.close()
        await self._host.close()
        self._services.control.ignore(self._services.cancels.cancel)
        self._services.offload.processes.close()
        await self._said(self._sharing.left())
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _said(self, saying: Coroutine[None, None, None]) -> None:
        """Tell the other workers, if the store lets us; they find out by themselves otherwise."""
        try:
            async with asyncio.timeout(SAY_SECONDS_MAX):
                await saying
        except (PlatformError, TimeoutError) as error:
            self._services.observer.observe(Trouble("membership", str(error) or "the store does not answer"))

    async def _beat(self) -> None:
        health = "" if self._background is None else "; ".join(self.status().reasons)
        await self._sharing.beat(self._report(), self._services.observer, health[:HEALTH_CHARACTERS_MAX])

    def _report(self) -> Report:
        return Report(self._host.residents, self._host.running, self._host.held())

    async def _share_dedicated(self) -> None:
        for spec in self._specs.values():
            if spec.layout.dedicated:
                ids = await self._services.store.spawned(spec.type)
                # Consuming a mailbox the broker has lost would fail for ever.
                await self._services.dispatch.declare_dedicated(spec.layout, ids)
                for actor_id in ids:
                    self._sharing.share([spec.layout.mailbox_of(actor_id)], spec.type, self._host)

    async def _run_background(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                routines = (
                    self._tick(),
                    self._sweep(),
                    self._look_for_overdue(),
                    self._share(),
                    self._look_at_store(),
                    self._probe(),
                    self._look_for_stalls(),
                )
                for routine in routines:
                    tasks.create_task(routine, name=ROUTINE)
                tasks.create_task(self._watch())
        except Exception as error:
            # A worker that is half dead must not look alive: its mailboxes go to others.
            self._failure = error
            self._services.observer.observe(Trouble("worker", f"stopped consuming: {error!r}"))
            await self._mailboxes.close()
            raise

    async def _watch(self) -> None:
        await self._host.failed

    async def _share(self) -> None:
        while True:
            await self._services.clock.sleep(BEAT_SECONDS)
            await self._beat()

    async def _look_at_store(self) -> None:
        while True:
            await self._services.clock.sleep(BEAT_SECONDS)
            await self._lookout.look()

    async def _probe(self) -> None:
        while True:
            await self._watchdog.probe()
            await self._services.clock.sleep(PROBE_SECONDS)

    async def _look_for_stalls(self) -> None:
        stalls = Stalls(self._system.backend.transport, self._services.observer)
        while True:
            await self._services.clock.sleep(LOOK_SECONDS)
            held = self._host.held()
            open_ones = self._mailboxes.subscriptions
            await stalls.look(one for one in open_ones if one.mailbox not in held and self.owns(one.mailbox))

    async def _tick(self) -> None:
        while True:
            await self._services.clock.sleep(TICK_SECONDS)
            self._mailboxes.check()
            self._relayed.check()
            self._host.passivate_idle()
            self._host.relieve()
            self._holding.note_again()
            try:
                await self._share_dedicated()
            except PlatformError as error:
                self._services.observer.observe(Trouble("look for spawned actors", str(error)))

    async def _sweep(self) -> None:
        durable = [spec.type for spec in self._specs.values() if spec.durable]
        while True:
            await self._services.clock.sleep(SWEEP_SECONDS)
            for actor_type in durable:
                try:
                    await self._relay.sweep(actor_type)
                    await self._relay.wake(actor_type)
                    self._host.parked(actor_type, await self._services.store.parked_bytes(actor_type))
                except PlatformError as error:
                    self._services.observer.observe(Trouble(f"sweep of {actor_type}", str(error)))

    async def _look_for_overdue(self) -> None:
        durable = [spec.type for spec in self._specs.values() if spec.durable]
        while True:
            await self._services.clock.sleep(OVERDUE_LOOK_SECONDS)
            for actor_type in durable:
                await self._overdue.look(actor_type)


def _member(types: frozenset[str], clock: Clock) -> Member:
    place = f"{socket.gethostname()}:{os.getpid()}"
    return Member(f"{place}:{clock.token()[:NAME_CHARACTERS]}", types, place=place)
