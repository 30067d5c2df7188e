"""`turn`: what a running method can ask about its own turn.

The runtime makes a turn the running one with `context.entered`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, overload

from broker_actors.actor.context import TurnScope, current_caller
from broker_actors.actor.ref import RefT, make_ref
from broker_actors.actor.untyped import UntypedRef, make_untyped_ref
from broker_actors.core.address import Address
from broker_actors.core.errors import ConfigurationError, OutOfTurnError


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


class Section:
    """What `turn()` returns: a place in an interleaved method where it may write. Not available yet."""

    async def __aenter__(self) -> None:
        """Refuse.

        Raises:
            ConfigurationError: always.

        """
        text = "`async with turn()` is not available yet: write in a @method of its own, and tell it"
        raise ConfigurationError(text)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the section."""


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
        scope = current_caller()
        if scope is None:
            text = (
                "no turn runs here: turn.current() works in a @method, and what it awaits, handling a message"
            )
            raise OutOfTurnError(text)
        return CurrentTurn(scope)


turn: Final = Turn()
