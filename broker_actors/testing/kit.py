"""An embedded system and a worker, for one test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self, TypeVar, overload

from broker_actors.actor.durations import Duration, seconds
from broker_actors.actor.ref import Ref
from broker_actors.actor.spec import spec_of
from broker_actors.actor.untyped import UntypedRef
from broker_actors.bootstrap.backend import Embedded
from broker_actors.bootstrap.system import ActorSystem
from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.core.dead import DeadLetter
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.events import Event, TurnEnded
from broker_actors.core.parking import wake_of
from broker_actors.observability.fan_out import FanOut
from broker_actors.observability.logs import LoggingObserver
from broker_actors.ports.clock import Clock
from broker_actors.runtime.suspending import resume
from broker_actors.settings import Settings
from broker_actors.testing.clock import PromptClock
from broker_actors.testing.outstanding import NotSettledError, Outlook, Outstanding
from broker_actors.testing.recording import Recording
from broker_actors.testing.virtual import VirtualClock, travel
from broker_actors.worker.worker import Worker

E = TypeVar("E")
RefT = TypeVar("RefT", bound=Ref)

#: How long a test waits for what ought to happen: a guard against hanging, not a measurement.
PATIENCE_SECONDS: Final = 10.0
#: A test that has ended waits no longer for turns that still run.
DRAIN_SECONDS: Final = 1.0


class ActorKit:
    """A broker and a store in this process, a system and a worker on them, ways to look into all.

    Made by `actor_test` or the fixture `actors`.
    """

    def __init__(self, embedded: Embedded, actors: tuple[type, ...], settings: Settings | None) -> None:
        self._embedded = embedded
        self._actors = actors
        self._recording = Recording()
        self._outstanding = Outstanding(embedded, frozenset(spec_of(cls).type for cls in actors))
        observer = FanOut([self._recording, LoggingObserver()])
        # Constructed, not read: what is in the environment must not decide about a test.
        settings = settings or Settings.model_construct(drain_timeout_seconds=DRAIN_SECONDS)
        self._backend = embedded.backend(observer)
        #: The open system, for what the kit has no shortcut for.
        self.system = ActorSystem(settings, observer=observer, backend=self._backend)
        self._worker: Worker | None = None
        self._open = AsyncExitStack()

    @overload
    def ref(self, actor: type[RefT], actor_id: str) -> RefT: ...
    @overload
    def ref(self, actor: str, actor_id: str) -> UntypedRef: ...
    def ref(self, actor: type[RefT] | str, actor_id: str) -> RefT | UntypedRef:
        """Return a handle on an actor; see `ActorSystem.ref`."""
        return self.system.ref(actor, actor_id)

    async def spawn(self, actor: type[RefT], actor_id: str) -> RefT:
        """Make the mailbox of a dedicated actor; see `ActorSystem.spawn`."""
        return await self.system.spawn(actor, actor_id)

    @property
    def events(self) -> list[Event]:
        """What happened so far, oldest first."""
        return list(self._recording.events)

    @property
    def turns(self) -> list[TurnEnded]:
        """The turns that ended so far, oldest first."""
        return [event for event in self._recording.events if isinstance(event, TurnEnded)]

    async def wait_for(
        self,
        kind: type[E],
        matches: Callable[[E], bool] = lambda _event: True,
        *,
        count: int = 1,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - the error names what happened instead
    ) -> E:
        """Return an event, past or to come.

        Args:
            kind: a class of `broker_actors.core.events`, such as `TurnEnded`.
            matches: which of them count; all by default.
            count: wait for so many, and return the last.
            timeout: give up after so many seconds.

        Raises:
            EventMissingError: it did not happen in time.

        """
        return await self._recording.wait_for(kind, matches, count=count, timeout_seconds=timeout)

    async def settled(
        self,
        *,
        delayed: bool = True,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - the error names what is left
    ) -> None:
        """Return when no message waits, runs or is on its way.

        Counted is what the broker holds and what turns have committed. A call in a task of
        its own that has not come so far is not; await it.

        Args:
            delayed: whether to wait for delayed messages, and for retries that wait a second or more.
            timeout: give up after so many seconds.

        Raises:
            NotSettledError: messages are left that did not end in time, or never will.

        """
        clock = self._embedded.clock
        latest_ms = clock.now_ms() + timeout * 1000
        try:
            async with asyncio.timeout(timeout):
                while self._outstanding.outlook(delayed=delayed, latest_ms=latest_ms) is Outlook.BUSY:
                    await self._embedded.broker.acknowledged()
        except TimeoutError:
            await self._check_worker()
        if left := await self._outstanding.left(delayed=delayed):
            raise NotSettledError(self._outstanding.explain(left, clock.now_ms()))

    async def advance(self, by: Duration) -> None:
        """Set the clock forward; return when all that was due until then has been done.

        Time stops at every moment for which something waits: a delayed tell, a reminder, a timer, the
        next attempt of what failed.

        Args:
            by: seconds, or a timedelta.

        Raises:
            ConfigurationError: the kit has no `VirtualClock`: pass `clock=VirtualClock()`.
            NotSettledError: see `settled`, or something plans more for ever.

        """
        clock = self._embedded.clock
        if not isinstance(clock, VirtualClock):
            text = "only a clock of the test's own can be set forward: pass clock=VirtualClock()"
            raise ConfigurationError(text)
        await travel(clock, seconds(by, "by"), self._at_rest)

    async def _at_rest(self) -> bool:
        """Return whether nothing runs and nothing waits but for its time."""
        await self._check_worker()
        is_busy = self._outstanding.outlook(delayed=False, latest_ms=0) is Outlook.BUSY
        if is_busy or (self._worker is not None and not self._worker.is_at_rest):
            return False
        # At once: what is left now ends by nobody.
        await self.settled(delayed=False)
        return True

    async def dead_letters(self, of: type | str) -> list[DeadLetter]:
        """Return the dead letters of an actor type, oldest first, once everything has settled.

        They stay where they are. Delayed messages are not waited for.

        Args:
            of: an actor class, or the name of a type.

        Raises:
            NotSettledError: see `settled`.

        """
        await self.settled(delayed=False)
        queue = self._embedded.broker.queue(
            topology.dead_queue(of if isinstance(of, str) else spec_of(of).type)
        )
        letters = [dead.read(entry.message) for entry in queue.entries]
        return list({letter.id: letter for letter in letters}.values())

    async def resume(self, of: type | str, actor_id: str) -> bool:
        """Resume a suspended actor, as `broker-actors actors resume` does; return whether it was suspended.

        Args:
            of: an actor class, or the name of a type.
            actor_id: which actor.

        """
        actor_type = of if isinstance(of, str) else spec_of(of).type
        address, clock = Address(actor_type, actor_id), self._embedded.clock
        if await resume(self._embedded.store, clock, address) is None:
            return False
        await self.system.dispatch.send(wake_of(address, clock.now_ms()))
        return True

    async def restart(self) -> None:
        """Stop the worker and start another: every actor comes back from its last committed state."""
        await self._stop()
        await self._start()

    async def __aenter__(self) -> Self:
        """Start the system and the worker.

        Raises:
            ConfigurationError: no actor class is given, one is not decorated, or two share a type.

        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._backend.close)
            await stack.enter_async_context(self.system)
            stack.push_async_callback(self._stop)
            await self._start()
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop everything; raise what killed the worker, if something has."""
        async with self._open:
            if exc is None:
                await self._check_worker()

    async def _start(self) -> None:
        self._worker = await Worker(self.system, *self._actors).__aenter__()

    async def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()

    async def _check_worker(self) -> None:
        """Raise what killed the worker, if something has."""
        until = asyncio.Event()
        until.set()
        if self._worker is not None:
            await self._worker.run(until)


def actor_test(*actors: type, settings: Settings | None = None, clock: Clock | None = None) -> ActorKit:
    """Return a kit that runs *actors* in this process, to enter with `async with`.

    Args:
        actors: classes decorated with `@actor`, all that take part.
        settings: other than the defaults; the environment is not read.
        clock: time and chance; by default `PromptClock`, whose retries do not wait.

    Raises:
        ConfigurationError: a class is not decorated.

    """
    return ActorKit(Embedded(clock or PromptClock()), actors, settings)
