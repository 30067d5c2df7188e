"""Runs actors: consumes their mailboxes, relays what is due, stops in an orderly way.

Invariant: between start and stop every background task is awaited here, so that a worker
whose insides died says so and does not look alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from broker_actors.actor.signature import Kind
from broker_actors.actor.spec import ActorSpec, spec_of
from broker_actors.bootstrap.system import ActorSystem
from broker_actors.core.address import Address
from broker_actors.core.errors import ConfigurationError, PlatformError
from broker_actors.core.events import Trouble
from broker_actors.runtime.host import Host, Running
from broker_actors.runtime.mailboxes import Mailboxes
from broker_actors.runtime.relay import MAILBOXES as RELAYED
from broker_actors.runtime.relay import SWEEP_SECONDS, Relay
from broker_actors.runtime.services import Services
from broker_actors.worker.status import Status

#: How often idle actors and newly spawned dedicated mailboxes are looked for.
TICK_SECONDS: Final = 1.0
#: Deliveries the relay holds at a time: it only forwards, so a short window keeps it fair among workers.
RELAY_PREFETCH: Final = 100


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
            _check_available(spec)
        self._specs = {spec.type: spec for spec in specs}
        if len(self._specs) != len(specs):
            raise ConfigurationError("two of the actor classes have the same actor type")
        self._system = system
        backend = system.backend
        self._services = Services(
            system.dispatch, backend.store, backend.replies, backend.clock, backend.observer, system.client
        )
        self._host = Host(self._services, self._specs, running_max=system.settings.running_max)
        self._relay = Relay(self._services)
        observing = (backend.transport, backend.clock, backend.observer)
        self._mailboxes = Mailboxes(*observing, prefetch=system.settings.prefetch)
        self._relayed = Mailboxes(*observing, prefetch=RELAY_PREFETCH)
        self._background: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._entered = False

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
                for mailbox in layout.mailboxes():
                    self._open(mailbox, spec)
            await self._open_dedicated()
            for mailbox in RELAYED:
                self._relayed.open(mailbox, "", self._relay.receive, lambda _lost: None)
            await self._mailboxes.opened()
            await self._relayed.opened()
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
        if not await self._host.drain(deadline_seconds):
            running = self._host.running
            text = f"{running} turns did not end within {deadline_seconds:g} s; they run again elsewhere"
            self._services.observer.observe(Trouble("drain", text))
        await self._close()

    def status(self) -> Status:
        """Return whether this worker does its work now. Safe to call from any thread."""
        if self._background is None:
            return Status(ready=False, reasons=("the worker is not running",))
        return Status(ready=True)

    @property
    def turns(self) -> list[Running]:
        """The turns that run, the oldest first."""
        return self._host.turns

    @property
    def waiting(self) -> Mapping[Address, int]:
        """How many deliveries wait in each lane that has any."""
        return self._host.waiting

    @property
    def residents(self) -> int:
        """How many actors are live in this worker."""
        return self._host.residents

    async def _close(self) -> None:
        background, self._background = self._background, None
        if background is not None:
            background.cancel()
            await asyncio.wait([background])
        await self._mailboxes.close()
        await self._relayed.close()
        await self._relay.close()
        await self._host.close()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _open(self, mailbox: str, spec: ActorSpec) -> None:
        self._mailboxes.open(mailbox, spec.type, self._host.receive, self._host.lost)

    async def _open_dedicated(self) -> None:
        for spec in self._specs.values():
            if spec.layout.dedicated:
                ids = await self._services.store.spawned(spec.type)
                # Consuming a mailbox the broker has lost would fail for ever.
                await self._services.dispatch.declare_dedicated(spec.layout, ids)
                for actor_id in ids:
                    self._open(spec.layout.mailbox_of(actor_id), spec)

    async def _run_background(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tick())
                tasks.create_task(self._sweep())
                tasks.create_task(self._watch())
        except Exception as error:
            # A worker that is half dead must not look alive: its mailboxes go to others.
            self._failure = error
            self._services.observer.observe(Trouble("worker", f"stopped consuming: {error!r}"))
            await self._mailboxes.close()
            raise

    async def _watch(self) -> None:
        await self._host.failed

    async def _tick(self) -> None:
        while True:
            await self._services.clock.sleep(TICK_SECONDS)
            self._mailboxes.check()
            self._relayed.check()
            self._host.passivate_idle()
            try:
                await self._open_dedicated()
            except PlatformError as error:
                self._services.observer.observe(Trouble("look for spawned actors", str(error)))

    async def _sweep(self) -> None:
        durable = [spec.type for spec in self._specs.values() if spec.durable]
        while True:
            await self._services.clock.sleep(SWEEP_SECONDS)
            for actor_type in durable:
                try:
                    await self._relay.sweep(actor_type)
                except PlatformError as error:
                    self._services.observer.observe(Trouble(f"sweep of {actor_type}", str(error)))


def _check_available(spec: ActorSpec) -> None:
    """Refuse what a class may already declare and no worker can do yet, rather than ignore it."""
    wanted = [
        (spec.options.on_failure == "block", "on_failure='block'"),
        (spec.options.restart_policy != "never", f"restart_policy={spec.options.restart_policy!r}"),
        *((method.interleave, f"{name}: interleave=True") for name, method in spec.methods.items()),
        *((method.run_in == "process", f"{name}: run_in='process'") for name, method in spec.methods.items()),
        *((method.kind is Kind.STREAM, f"{name}: a generator") for name, method in spec.methods.items()),
    ]
    missing = [text for is_wanted, text in wanted if is_wanted]
    if missing:
        raise ConfigurationError(
            f"{spec.cls.__name__} declares what is not available yet: {', '.join(missing)}"
        )
