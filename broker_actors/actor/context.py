"""The turn that runs, as seen from the code it runs: one context variable.

Invariant: inside a turn every ref sends through the turn, so that a tell leaves with the
commit and an ask carries the deadline and the chain of callers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.errors import OutOfTurnError
from broker_actors.core.limiting import Terms
from broker_actors.core.reminders import Reminder
from broker_actors.core.rhythm import Plan
from broker_actors.ports.calling import Call, Caller
from broker_actors.ports.places import HeldPlace


class Reminding(Protocol):
    """Reminders and timers of the actor whose turn runs; what is asked for becomes so with its commit."""

    async def remind(self, name: str, plan: Plan, call: Call) -> None:
        """Have *call*, to the actor itself, made by *plan*."""
        ...

    async def forget(self, name: str) -> bool:
        """Remove a reminder; return whether there was one."""
        ...

    async def reminders(self) -> Sequence[Reminder]:
        """Return those there are, due first first."""
        ...

    def start_timer(self, name: str, period_seconds: float, call: Call) -> None:
        """Have *call* made regularly, as long as the actor stays in memory."""
        ...

    def stop_timer(self, name: str) -> None:
        """Stop a timer; nothing if there is none."""
        ...


class TurnScope(Caller, Protocol):
    """What a running turn tells and does; implemented by the runtime."""

    @property
    def id(self) -> str:
        """Names the turn; the same when it is run again after a crash."""
        ...

    @property
    def address(self) -> Address:
        """The actor whose turn this is."""
        ...

    @property
    def method(self) -> str:
        """The method that runs."""
        ...

    @property
    def attempt(self) -> int:
        """Which run this is, from 1."""
        ...

    @property
    def epoch(self) -> int:
        """The fencing token of the activation."""
        ...

    @property
    def resume_from(self) -> int:
        """How many values of a resumable generator an earlier run has written; 0 for none."""
        ...

    @property
    def key(self) -> str:
        """The idempotency key; empty for none."""
        ...

    @property
    def deadline_ms(self) -> int:
        """Unix milliseconds after which nobody waits; 0 for never."""
        ...

    @property
    def chain(self) -> tuple[str, ...]:
        """The actors that wait for this turn, outermost first, itself last."""
        ...

    @property
    def clockwork(self) -> Reminding:
        """The reminders of the actor."""
        ...

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Return a block whose tells are taken back if it ends with an exception."""
        ...

    def section(self) -> AbstractAsyncContextManager[None]:
        """Return a place where an interleaved turn may write; raises `OutOfTurnError` in any other."""
        ...

    def limiter(self, name: str, terms: Terms) -> AbstractAsyncContextManager[HeldPlace, bool | None]:
        """Return the limiter *name* of the process; raises `ConfigurationError` if the name is none."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the turn is over."""
        ...


#: The running turn and its loop; a thread the turn starts inherits both.
_active: Final[ContextVar[tuple[TurnScope, asyncio.AbstractEventLoop | None] | None]] = ContextVar(
    "broker_actors_turn", default=None
)


class entered:  # noqa: N801 - a context manager, and a generator's is dearer than all that it does
    """Make *scope* the running turn of this task, and of the tasks it starts, until left."""

    __slots__ = ("_scope", "_token")

    def __init__(self, scope: TurnScope) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        """Enter."""
        self._token = _active.set((self._scope, _running_loop()))

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        _active.reset(self._token)


def current_caller() -> TurnScope | None:
    """Return the running turn, or None outside of any.

    Raises:
        OutOfTurnError: this task was started by a turn that is over, or runs on a loop of its own.

    """
    active = _active.get()
    if active is None:
        return None
    scope, loop = active
    if scope.finished:
        text = (
            f"the turn is over: {scope.address} ran {scope.method}, and this task is left over from it. "
            "Await everything a method starts before it returns"
        )
        raise OutOfTurnError(text)
    here = _running_loop()
    if here is not None and loop is not None and here is not loop:
        text = (
            f"this is another event loop than that of the turn: {scope.address} runs {scope.method}, which "
            "started it in a thread. Take turn.current() before that, and make calls from an async method"
        )
        raise OutOfTurnError(text)
    return scope


def scope_here() -> TurnScope | None:
    """Return the turn this code belongs to, be it over or on another loop; None outside of any.

    For those who only want to name it, such as logs.
    """
    active = _active.get()
    return None if active is None else active[0]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, or None: synchronous code in a thread has none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
