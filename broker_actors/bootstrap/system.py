"""The actor system: what a program opens to call actors."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar, overload

from broker_actors.actor.durations import Duration, seconds
from broker_actors.actor.handle import target_of
from broker_actors.actor.ref import Ref, make_ref
from broker_actors.actor.scheduled import ScheduledTell
from broker_actors.actor.stream import ConvertedStream, Stream
from broker_actors.actor.untyped import UntypedRef, as_it_came, make_untyped_ref
from broker_actors.bootstrap.backend import Backend, open_backend
from broker_actors.client.client import Channels, Client
from broker_actors.client.options import ClientOptions
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import Plain, PlatformError
from broker_actors.core.group import GroupName
from broker_actors.core.limiting import Terms
from broker_actors.core.scheduled import Scheduled
from broker_actors.dispatch import Dispatch
from broker_actors.observability.logs import LoggingObserver
from broker_actors.patterns.groups import Group
from broker_actors.patterns.limiter import Limiter, LimiterPorts, Limiters
from broker_actors.ports.observer import Observer
from broker_actors.settings import Settings

RefT = TypeVar("RefT", bound=Ref)


class ActorSystem:
    """A connection to the actors of a deployment, or to an embedded one.

    Use it as an async context manager. One system per process is enough: it may be used by
    any number of concurrent tasks of the loop it was opened on.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        observer: Observer | None = None,
        backend: Backend | None = None,
    ) -> None:
        """Prepare a system; `connect` is the usual way.

        Args:
            settings: what to connect to; from the environment by default.
            observer: who is told what happens; the logger `broker_actors` by default.
            backend: ports that are already open and stay open; for tests and embedding.

        """
        self.settings = settings or Settings()
        self._observer = observer or LoggingObserver()
        self._given = backend
        self._backend: Backend | None = None
        self._client: Client | None = None
        self._dispatch: Dispatch | None = None
        self._limiters: Limiters | None = None

    @classmethod
    def connect(
        cls, url: str | None = None, redis_url: str | None = None, *, observer: Observer | None = None
    ) -> ActorSystem:
        """Return a system to enter with `async with`.

        Args:
            url: the broker; `BROKER_ACTORS_URL` by default, and without that an embedded one.
            redis_url: the store of a real broker; `BROKER_ACTORS_REDIS_URL` by default.
            observer: who is told what happens; the logger `broker_actors` by default.

        """
        given = {name: value for name, value in (("url", url), ("redis_url", redis_url)) if value is not None}
        return cls(Settings.model_validate({**Settings().model_dump(), **given}), observer=observer)

    async def __aenter__(self) -> Self:
        """Open the connections.

        Raises:
            ConfigurationError: a setting cannot work.
            PlatformError: the broker or the store cannot be reached.

        """
        backend = self._given or await open_backend(self.settings, self._observer)
        self._backend = backend
        self._limiters = Limiters(LimiterPorts(backend.places, backend.clock, backend.observer))
        self._dispatch = Dispatch(backend.transport, backend.store, backend.clock)
        options = ClientOptions(
            self.settings.ask_timeout_seconds,
            JSON if self.settings.codec == "json" else MSGPACK,
            self.settings.wait_if_full_seconds,
        )
        channels = Channels(backend.replies, backend.streams, backend.members)
        self._client = Client(self._dispatch, channels, backend.clock, backend.observer, options)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections; calls under way end with `PlatformError`."""
        client, self._client = self._client, None
        dispatch, self._dispatch = self._dispatch, None
        backend, self._backend = self._backend, None
        self._limiters = None
        # Each part also when the one before failed or was cancelled. The last one pushed is the first closed.
        async with AsyncExitStack() as closing:
            if backend is not None and self._given is None:
                closing.push_async_callback(backend.close)
            if dispatch is not None:
                closing.push_async_callback(dispatch.close)
            if client is not None:
                closing.push_async_callback(client.close)

    @overload
    def ref(self, actor: type[RefT], actor_id: str) -> RefT: ...
    @overload
    def ref(self, actor: str, actor_id: str) -> UntypedRef: ...
    def ref(self, actor: type[RefT] | str, actor_id: str) -> RefT | UntypedRef:
        """Return a handle on an actor. Nothing is sent: a virtual actor exists on first use.

        Args:
            actor: a class that inherits `Ref`, or the name of an actor type.
            actor_id: 1 to 170 UTF-8 bytes without control characters.

        Raises:
            ConfigurationError: the id, or the name of the type, is not one.

        """
        if isinstance(actor, str):
            return make_untyped_ref(actor, actor_id, self.client)
        return make_ref(actor, actor_id, self.client)

    def resume(self, call_id: str, *, after: int = 0, timeout: Duration | None = None) -> Stream[Plain]:
        """Go on reading a stream, in this process or another.

        Whoever read it before gets `StreamTakenOverError`.

        Args:
            call_id: the stream's `call_id`.
            after: the number of the last value that is not wanted again: its `seq`.
            timeout: how long each value may take.

        Raises:
            ConfigurationError: it is no call id, or the number or the timeout cannot be.

        """
        seconds_each = None if timeout is None else seconds(timeout, "timeout")
        return ConvertedStream(self.client.resume(call_id, after, seconds_each), as_it_came)

    def scheduled(self, name: str) -> ScheduledTell:
        """Return a handle on a delayed tell, which this process or another has sent.

        Args:
            name: its `id`.

        Raises:
            ConfigurationError: it is no such id.

        """
        return ScheduledTell(Scheduled.parse(name), self.client)

    async def spawn(self, actor: type[RefT], actor_id: str) -> RefT:
        """Make the mailbox of a dedicated actor and return a handle on it. Idempotent.

        Actors with shared mailboxes exist without it, and nothing is made for them.

        Raises:
            MailboxFullError: the type has 10,000 dedicated actors already.
            PlatformError: the broker or the store is unavailable, or the layout is not the recorded one.

        """
        self.client.check_usable()
        ref = self.ref(actor, actor_id)
        target = target_of(ref)
        await self.dispatch.spawn(target.address, target.declared)
        return ref

    def group(self, actor: type[RefT], name: str) -> Group[RefT]:
        """Return a durable named group of actors. Nothing is sent: every group exists.

        Args:
            actor: a class that inherits `Ref`; groups of different actor types may have the same name.
            name: as an actor's id.

        Raises:
            ConfigurationError: the name is not one, or the class is no ref class.

        """
        # Any id tells which type the class is for; what the name is worth, its own check says.
        group = GroupName(self.ref(actor, "any").address.type, name)
        return Group(group, lambda actor_id: self.ref(actor, actor_id), self.backend.groups)

    def limiter(self, name: str, places: int, *, lease: Duration = 30.0) -> Limiter:
        """Return a limiter that all processes share, to enter with `async with`. Nothing is sent.

        Args:
            name: which; as an actor's id.
            places: how many may be inside at a time, in all processes together; at most 1,000.
            lease: after how long the place of a process that died is free again. It is renewed while held.

        Raises:
            ConfigurationError: the name is not one, or a number is out of bounds.

        """
        return self.limiters.of(name, Terms(places, round(1000 * seconds(lease, "lease"))))

    @property
    def limiters(self) -> Limiters:
        """The limiters of this process; raises `PlatformError` outside of `async with`."""
        if self._limiters is None:
            raise PlatformError(
                "the actor system is not open: use `async with ActorSystem.connect() as system:`"
            )
        return self._limiters

    @property
    def client(self) -> Client:
        """The calling side; raises `PlatformError` outside of `async with`."""
        if self._client is None:
            raise PlatformError(
                "the actor system is not open: use `async with ActorSystem.connect() as system:`"
            )
        return self._client

    @property
    def dispatch(self) -> Dispatch:
        """The way to the broker; raises `PlatformError` outside of `async with`."""
        if self._dispatch is None:
            raise PlatformError(
                "the actor system is not open: use `async with ActorSystem.connect() as system:`"
            )
        return self._dispatch

    @property
    def backend(self) -> Backend:
        """The open ports; raises `PlatformError` outside of `async with`."""
        if self._backend is None:
            raise PlatformError(
                "the actor system is not open: use `async with ActorSystem.connect() as system:`"
            )
        return self._backend
