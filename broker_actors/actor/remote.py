"""The remote form of a method: `ref.increment`."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, ParamSpec, TypeVar, cast

from broker_actors.actor.arguments import Arguments
from broker_actors.actor.durations import Duration, seconds
from broker_actors.actor.handle import Target
from broker_actors.actor.plain import simplify
from broker_actors.actor.scheduled import ScheduledTell, moment_ms
from broker_actors.actor.stream import ConvertedStream
from broker_actors.core.errors import ConfigurationError
from broker_actors.ports.calling import Call, When

P = ParamSpec("P")
C_co = TypeVar("C_co", covariant=True)


class Remote(Generic[P, C_co]):
    """One method of one actor, somewhere."""

    __slots__ = ("_arguments", "_name", "_target")

    def __init__(self, name: str, arguments: Arguments, target: Target) -> None:
        self._name = name
        self._arguments = arguments
        self._target = target

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C_co:
        """Ask: return a coroutine of the method's result.

        Raises:
            InvalidArgumentsError: the arguments do not fit the signature; nothing is sent.
            ActorError: what the actor answered.
            AskTimeoutError: no answer by the deadline.
            PlatformError: the call could not be sent or its answer not be read.

        """
        return cast("C_co", self._ask(self.as_call(*args, **kwargs)))

    async def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send one way; return when the broker has confirmed, or inside a turn when it is recorded.

        Raises:
            InvalidArgumentsError: the arguments do not fit the signature; nothing is sent.
            PlatformError: it could not be confirmed.

        """
        await self._target.route().tell(self.as_call(*args, **kwargs))

    async def tell_after(self, delay: Duration, /, *args: P.args, **kwargs: P.kwargs) -> ScheduledTell:
        """Send one way, to arrive after *delay*: seconds or a timedelta, at a grain of one second.

        Returns:
            A handle that cancels it.

        Raises:
            ConfigurationError: the delay is negative.
            InvalidArgumentsError: the arguments do not fit the signature; nothing is sent.
            PlatformError: it could not be confirmed.

        """
        return await self._schedule(
            When(after_seconds=seconds(delay, "delay")), self.as_call(*args, **kwargs)
        )

    async def tell_at(self, when: datetime, /, *args: P.args, **kwargs: P.kwargs) -> ScheduledTell:
        """Send one way, to arrive at *when*, a datetime with a time zone; at once if that is over.

        Returns:
            A handle that cancels it.

        Raises:
            ConfigurationError: the datetime has no time zone.
            InvalidArgumentsError: the arguments do not fit the signature; nothing is sent.
            PlatformError: it could not be confirmed.

        """
        return await self._schedule(When(moment_ms(when)), self.as_call(*args, **kwargs))

    def __repr__(self) -> str:
        """Return `Counter/c1.increment`."""
        return f"{self._target.address}.{self._name}"

    def as_call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """Return what would be sent, for who sends several together.

        Raises:
            InvalidArgumentsError: the arguments do not fit the signature.

        """
        self._arguments.bind(args, kwargs)
        target = self._target
        return Call(target.address, self._name, args, kwargs, target.options, target.declared, simplify)

    async def _schedule(self, when: When, call: Call) -> ScheduledTell:
        return ScheduledTell(await self._target.route().schedule(call, when), self._target.caller)

    async def _ask(self, call: Call) -> object:
        return self._arguments.convert_result(await self._target.route().ask(call))


class StreamRemote(Remote[P, C_co]):
    """A generator method of one actor."""

    __slots__ = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C_co:
        """Return a stream of what the method yields; the call is sent when it is first used.

        Raises:
            InvalidArgumentsError: the arguments do not fit the signature; nothing is sent.
            PlatformError: the arguments cannot travel, or the system is closed.

        """
        values = self._target.route().stream(self.as_call(*args, **kwargs))
        return cast("C_co", ConvertedStream(values, self._arguments.convert_result))

    async def tell(self, *_args: P.args, **_kwargs: P.kwargs) -> None:
        """Refuse: nobody would read what it yields.

        Raises:
            ConfigurationError: always.

        """
        raise self._nobody_reads()

    async def tell_after(self, _delay: Duration, /, *_args: P.args, **_kwargs: P.kwargs) -> ScheduledTell:
        """Refuse: nobody would read what it yields.

        Raises:
            ConfigurationError: always.

        """
        raise self._nobody_reads()

    async def tell_at(self, _when: datetime, /, *_args: P.args, **_kwargs: P.kwargs) -> ScheduledTell:
        """Refuse: nobody would read what it yields.

        Raises:
            ConfigurationError: always.

        """
        raise self._nobody_reads()

    def _nobody_reads(self) -> ConfigurationError:
        text = f"{self!r} is a generator and cannot be told: nobody would read what it yields"
        return ConfigurationError(text)
