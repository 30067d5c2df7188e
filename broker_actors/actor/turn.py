"""`turn`: what a running method can ask about its own turn.

The runtime makes a turn the running one with `context.entered`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, overload

from broker_actors.actor.context import TurnScope, current_caller
from broker_actors.actor.durations import Duration, seconds
from broker_actors.actor.ref import RefT, make_ref
from broker_actors.actor.scheduled import ScheduledTell
from broker_actors.actor.untyped import UntypedRef, make_untyped_ref
from broker_actors.core.address import Address
from broker_actors.core.errors import OutOfTurnError
from broker_actors.core.limiting import Terms
from broker_actors.core.scheduled import Scheduled
from broker_actors.ports.places import HeldPlace


@dataclass(frozen=True, slots=True)
class CurrentTurn:
    """The turn that runs."""

    _scope: TurnScope

    @property
    def id(self) -> str:
        """Names the turn; the same when it is run again after a crash."""
        return self._scope.id

    @property
    def address(self) -> Address:
        """The actor whose turn this is."""
        return self._scope.address

    @property
    def actor_id(self) -> str:
        """The id of the actor whose turn this is."""
        return self._scope.address.id

    @property
    def method(self) -> str:
        """The method that runs."""
        return self._scope.method

    @property
    def attempt(self) -> int:
        """Which run this is, from 1."""
        return self._scope.attempt

    @property
    def epoch(self) -> int:
        """The fencing token, to pass on to outside systems that can check it."""
        return self._scope.epoch

    @property
    def resume_from(self) -> int:
        """How many values an earlier run of a resumable generator has yielded: go on after these."""
        return self._scope.resume_from

    @property
    def idempotency_key(self) -> str:
        """The key the call was made with; empty for none."""
        return self._scope.key

    @property
    def deadline(self) -> datetime | None:
        """When the caller stops waiting, in UTC; None for never."""
        deadline_ms = self._scope.deadline_ms
        return datetime.fromtimestamp(deadline_ms / 1000, UTC) if deadline_ms else None

    @overload
    def ref(self, target: type[RefT], actor_id: str, /) -> RefT: ...
    @overload
    def ref(self, target: str, actor_id: str, /) -> UntypedRef: ...
    def ref(self, target: type[RefT] | str, actor_id: str, /) -> RefT | UntypedRef:
        """Return a ref whose calls go through the turn.

        Args:
            target: a ref class, or the name of an actor type.
            actor_id: which actor.

        Raises:
            ConfigurationError: the type or the id cannot be.

        """
        if isinstance(target, str):
            return make_untyped_ref(target, actor_id, self._scope)
        return make_ref(target, actor_id, self._scope)

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Return a block for `with`: an exception takes back what was told since it began, also with a delay.

        For methods that catch the exception and go on. State, asks and reminders are not taken back.
        """
        return self._scope.all_or_nothing()

    def scheduled(self, name: str, /) -> ScheduledTell:
        """Return a handle on the delayed tell whose `id` is *name*.

        Raises:
            ConfigurationError: it is no such id.

        """
        return ScheduledTell(Scheduled.parse(name), self._scope)

    def limiter(
        self, name: str, places: int, *, lease: Duration = 30.0
    ) -> AbstractAsyncContextManager[HeldPlace, bool | None]:
        """Return a limiter that all processes share; see `ActorSystem.limiter`.

        Args:
            name: which.
            places: how many may be inside at a time, in all processes together.
            lease: after how long the place of a process that died is free again.

        Raises:
            ConfigurationError: the name is not one, or a number is out of bounds.

        """
        return self._scope.limiter(name, Terms(places, round(1000 * seconds(lease, "lease"))))


class Section:
    """A place in an interleaved method where it may write: `async with turn(): ...`.

    It waits for the actor's other writers, sees the newest commit, and is committed at its end. When the
    method runs again, what was committed is not written again. An exception leaves nothing behind.
    """

    def __init__(self) -> None:
        self._open = AsyncExitStack()

    async def __aenter__(self) -> None:
        """Wait until it is this section's turn.

        Raises:
            OutOfTurnError: no interleaved turn runs here, or a section of it is open already.
            ConfigurationError: the actor keeps no state.

        """
        await self._open.enter_async_context(_running("turn()").section())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        """Commit what was written; drop it after an exception.

        Raises:
            UndeclaredStateError: a public attribute is set that no annotation declares.
            OutOfTurnError: another worker has the actor now.
            PlatformError: the state cannot be stored, or the store does not answer.

        """
        return await self._open.__aexit__(kind, error, traceback)


class Turn:
    """The running turn: `turn.current()`, and sections of interleaved methods: `turn()`."""

    def __call__(self) -> Section:
        """Return a section in which an interleaved method may write."""
        return Section()

    def current(self) -> CurrentTurn:
        """Return the running turn.

        Raises:
            OutOfTurnError: no turn runs here, or the one that started this task is over.

        """
        return CurrentTurn(_running("turn.current()"))


def _running(what: str) -> TurnScope:
    scope = current_caller()
    if scope is None:
        text = f"no turn runs here: {what} works in a @method, and what it awaits, handling a message"
        raise OutOfTurnError(text)
    return scope


turn: Final = Turn()
