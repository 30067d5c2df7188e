"""A ref without a class, for shells and for types this process does not have."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any

from broker_actors.actor.durations import Duration, seconds
from broker_actors.actor.handle import Handle, Target, new_handle, target_of
from broker_actors.actor.plain import simplify
from broker_actors.actor.scheduled import ScheduledTell, moment_ms
from broker_actors.actor.stream import ConvertedStream, Stream
from broker_actors.core.address import Address, check_id, check_type
from broker_actors.core.errors import Plain
from broker_actors.ports.calling import Call, Caller, When


class UntypedRemote:
    """One method of one actor; its signature is known to the actor only."""

    __slots__ = ("_name", "_target")

    def __init__(self, name: str, target: Target) -> None:
        self._name = name
        self._target = target

    def __call__(self, *args: object, **kwargs: object) -> Coroutine[Any, Any, Plain]:
        """Ask: return a coroutine of the plain result; raises what `remote.Remote` raises."""
        return self._ask(self._call(args, kwargs))

    async def tell(self, *args: object, **kwargs: object) -> None:
        """Send one way; return when the broker has confirmed, or inside a turn when it is recorded.

        Raises:
            PlatformError: it could not be confirmed.

        """
        await self._target.route().tell(self._call(args, kwargs))

    async def tell_after(self, delay: Duration, /, *args: object, **kwargs: object) -> ScheduledTell:
        """Send one way, to arrive after *delay*: seconds or a timedelta, at a grain of one second.

        Returns:
            A handle that cancels it.

        Raises:
            ConfigurationError: the delay is negative.
            PlatformError: it could not be confirmed.

        """
        return await self._schedule(When(after_seconds=seconds(delay, "delay")), self._call(args, kwargs))

    async def tell_at(self, when: datetime, /, *args: object, **kwargs: object) -> ScheduledTell:
        """Send one way, to arrive at *when*, a datetime with a time zone; at once if that is over.

        Returns:
            A handle that cancels it.

        Raises:
            ConfigurationError: the datetime has no time zone.
            PlatformError: it could not be confirmed.

        """
        return await self._schedule(When(moment_ms(when)), self._call(args, kwargs))

    def stream(self, *args: object, **kwargs: object) -> Stream[Plain]:
        """Return a stream of what a generator method yields; the call is sent when it is first used.

        Raises:
            PlatformError: the arguments cannot travel, or the system is closed.

        """
        return ConvertedStream(self._target.route().stream(self._call(args, kwargs)), as_it_came)

    def __repr__(self) -> str:
        """Return `Counter/c1.increment`."""
        return f"{self._target.address}.{self._name}"

    def _call(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Call:
        return Call(self._target.address, self._name, args, kwargs, self._target.options, simplify=simplify)

    async def _schedule(self, when: When, call: Call) -> ScheduledTell:
        return ScheduledTell(await self._target.route().schedule(call, when), self._target.caller)

    async def _ask(self, call: Call) -> Plain:
        return await self._target.route().ask(call)


class UntypedRef(Handle):
    """A handle on an actor of a type known by name only: `ref.increment(5)`, `ref.call("increment", 5)`."""

    def call(self, method: str, /, *args: object, **kwargs: object) -> Coroutine[Any, Any, Plain]:
        """Ask the actor's *method*, whatever it is called; raises what `remote.Remote` raises."""
        return UntypedRemote(method, target_of(self))(*args, **kwargs)

    def __getattr__(self, name: str) -> UntypedRemote:
        """Return the remote form of the method *name*, whether the actor has it or not."""
        if name.startswith("_"):
            # Python asks for names of its own, as when it copies an object.
            raise AttributeError(name)
        return UntypedRemote(name, target_of(self))


def as_it_came(value: Plain) -> Plain:
    """Return *value*: nobody here knows its type."""
    return value


def make_untyped_ref(actor_type: str, actor_id: str, caller: Caller) -> UntypedRef:
    """Return an untyped ref that calls through *caller* outside of turns.

    Raises:
        ConfigurationError: the type or the id cannot be.

    """
    address = Address(check_type(actor_type), check_id(actor_id))
    return new_handle(UntypedRef, Target(address, caller))
