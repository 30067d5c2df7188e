"""`@method`: one descriptor, resolved by what it is read from.

Read from the class it is itself; from an actor instance, the local function; from a ref,
the remote form. Only functions marked with it are messages.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import FunctionType, MethodType
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    Literal,
    ParamSpec,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
    overload,
)

from broker_actors.actor.arguments import Arguments
from broker_actors.actor.handle import Handle, Target, target_of
from broker_actors.actor.hints import Locals
from broker_actors.actor.remote import Remote, StreamRemote
from broker_actors.actor.signature import Kind, Signature, compiled
from broker_actors.actor.stream import Stream
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.retry import Retry

# Covariant, so that a subclass may override a method of its base.
S_co = TypeVar("S_co", covariant=True)
L_co = TypeVar("L_co", covariant=True)
C_co = TypeVar("C_co", covariant=True)
S = TypeVar("S")
R = TypeVar("R")
P = ParamSpec("P")

Coro: TypeAlias = Coroutine[Any, Any, R]
RunIn: TypeAlias = Literal["loop", "thread", "process"]

#: How remote forms are made; of their types more is known where they are read.
_MakeRemote: TypeAlias = Callable[[str, Arguments, Target], object]
_REMOTE: Final = cast("_MakeRemote", Remote)
_STREAM_REMOTE: Final = cast("_MakeRemote", StreamRemote)


class Method(Generic[S_co, P, L_co, C_co]):
    """A message: of an actor `S_co` with arguments `P`, a local result `L_co` and a remote one `C_co`.

    Attributes:
        name: the message's name.
        function: what was decorated.
        interleave: whether it overlaps its actor's other turns.
        run_in: where it runs: on the loop, in a thread, in another process.
        retry: its own retry policy; None for its actor's.
        resumable: whether a generator that is run again goes on where the crashed run ended.

    """

    def __init__(
        self,
        function: Callable[Concatenate[S_co, P], L_co],
        *,
        interleave: bool,
        run_in: RunIn,
        retry: Retry | None,
        resumable: bool = False,
    ) -> None:
        self.name: Final = function.__name__
        self.function: Final = function
        self.interleave: Final = interleave
        self.run_in: Final[RunIn] = run_in
        self.retry: Final = retry
        self.resumable: Final = resumable
        self.__doc__ = function.__doc__
        self._signature: Signature | None = None

    @property
    def kind(self) -> Kind:
        """How it runs."""
        return self._compiled().kind

    @property
    def arguments(self) -> Arguments:
        """What it takes and gives."""
        return self._compiled().arguments

    def compile(self, where: str, scope: Locals) -> None:
        """Resolve the signature; called when a class around it is complete, idempotent.

        Args:
            where: names the method in errors: `Counter.increment`.
            scope: the local variables around the class.

        Raises:
            ConfigurationError: an annotation does not resolve or has no plain form.

        """
        if self._signature is None:
            self._signature = compiled(where, self.function, scope)

    @overload
    def __get__(self, at: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, at: Handle, owner: type[Any]) -> Remote[P, C_co]: ...
    @overload
    def __get__(self, at: object, owner: type[Any]) -> Callable[P, L_co]: ...
    def __get__(self, at: object, owner: type[Any]) -> object:
        """Return the method itself, its remote form or the local function bound to *at*."""
        if at is None:
            return self
        if isinstance(at, Handle):
            signature = self._compiled()
            remote = _STREAM_REMOTE if signature.kind is Kind.STREAM else _REMOTE
            return remote(self.name, signature.arguments, target_of(at))
        return MethodType(self.function, at)

    def __repr__(self) -> str:
        """Return `<method increment>`."""
        return f"<method {self.name}>"

    def _compiled(self) -> Signature:
        if self._signature is None:
            text = f"{self.function.__qualname__} is a method of a class without `@actor`: decorate the class"
            raise ConfigurationError(text)
        return self._signature


#: For code that handles methods of any signature.
AnyMethod: TypeAlias = Method[Any, ..., Any, Any]


class Decorate:
    """`@method`, and `@method.options(...)`."""

    def __init__(
        self,
        *,
        interleave: bool = False,
        run_in: RunIn = "loop",
        retry: Retry | None = None,
        resumable: bool = False,
    ) -> None:
        self._interleave = interleave
        self._run_in: RunIn = run_in
        self._retry = retry
        self._resumable = resumable

    @overload
    def __call__(
        self, function: Callable[Concatenate[S, P], Coro[R]], /
    ) -> Method[S, P, Coro[R], Coro[R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap] # the last overload takes any result; the first to fit wins
        self, function: Callable[Concatenate[S, P], AsyncIterator[R]], /
    ) -> Method[S, P, AsyncIterator[R], Stream[R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap] # as above
        self, function: Callable[Concatenate[S, P], Iterator[R]], /
    ) -> Method[S, P, Iterator[R], Stream[R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[S, P], R], /) -> Method[S, P, R, Coro[R]]: ...
    def __call__(self, function: object, /) -> object:
        """Make *function* a message.

        Raises:
            ConfigurationError: it is no function, or is to run where it cannot.

        """
        if not isinstance(function, FunctionType):
            text = f"@method decorates functions of a class, not {function!r}; it goes above other decorators"
            raise ConfigurationError(text)
        inner = inspect.unwrap(function)
        if self._run_in != "loop" and (
            inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)
        ):
            text = f"{function.__qualname__}: run_in={self._run_in!r} is for `def`, not for `async def`"
            raise ConfigurationError(text)
        yields = inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner)
        if yields and self._run_in == "process":
            text = f"{function.__qualname__}: a generator cannot run in another process: use run_in='thread'"
            raise ConfigurationError(text)
        if self._resumable and not yields:
            text = f"{function.__qualname__}: resumable=True is for generators, and this does not yield"
            raise ConfigurationError(text)
        if self._run_in == "process" and inspect.isgeneratorfunction(inner):
            text = f"{function.__qualname__}: a generator cannot run in a process, which gives one answer"
            raise ConfigurationError(text)
        return Method[Any, ..., object, object](
            function,
            interleave=self._interleave,
            run_in=self._run_in,
            retry=self._retry,
            resumable=self._resumable,
        )

    def options(
        self,
        *,
        interleave: bool = False,
        run_in: RunIn = "loop",
        retry: Retry | None = None,
        resumable: bool = False,
    ) -> Decorate:
        """Return the decorator with options.

        Args:
            interleave: overlap the actor's other turns, on a frozen snapshot of the last commit.
            run_in: `thread` for blocking libraries, `process` for computing; both for pure reads.
            retry: how its failed turns are tried again; None for the actor's policy.
            resumable: after a crash, have a generator go on after `turn.current().resume_from` values
                instead of yielding the same again.

        Raises:
            ConfigurationError: `run_in` is none of the three.

        """
        if run_in not in get_args(RunIn):
            text = f"run_in={run_in!r} must be one of {', '.join(get_args(RunIn))}"
            raise ConfigurationError(text)
        return Decorate(interleave=interleave, run_in=run_in, retry=retry, resumable=resumable)


method: Final = Decorate()
