"""What every ref has, typed or not: an address, a way to call, options for its calls.

Refs inherit from user classes too, so nothing here is an attribute a user class could
have: the target lies in the instance's `__dict__` under a key that is no identifier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self, TypeVar

from broker_actors.actor.context import current_caller
from broker_actors.actor.durations import Duration, seconds
from broker_actors.core.address import Address
from broker_actors.core.checks import is_text
from broker_actors.core.envelope import KEY_CHARACTERS_MAX
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.topology import Layout
from broker_actors.ports.calling import DEFAULTS, Caller, CallOptions

#: Public names of refs, which no method can have.
RESERVED_NAMES: Final = frozenset({"actor_id", "address", "ask", "with_options"})

_TARGET: Final = "ref target"

HandleT = TypeVar("HandleT", bound="Handle")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a ref's calls go, and how.

    Attributes:
        address: the actor.
        caller: makes calls outside of turns.
        options: how calls are made.
        declared: the layout of the ref's implementation class; None for contracts and untyped refs.

    """

    address: Address
    caller: Caller
    options: CallOptions = DEFAULTS
    declared: Layout | None = None

    def route(self) -> Caller:
        """Return who makes the call now: the running turn, else the ref's own caller.

        Raises:
            OutOfTurnError: see `context.current_caller`.

        """
        scope = current_caller()
        return self.caller if scope is None else scope


class Handle:
    """A handle on an actor, immutable and cheap. Equal to every other handle on the same actor."""

    def __init__(self) -> None:
        text = f"refs come from a system: `system.ref({type(self).__name__}, actor_id)`"
        raise ConfigurationError(text)

    @property
    def address(self) -> Address:
        """The actor's type and id."""
        return target_of(self).address

    @property
    def actor_id(self) -> str:
        """The actor's id."""
        return target_of(self).address.id

    def with_options(
        self,
        *,
        timeout: Duration | None = None,
        expires: Duration | None = None,
        idempotency_key: str | None = None,
        wait_if_full: Duration | None = None,
    ) -> Self:
        """Return the same ref with other options; what is not given stays as it was.

        Args:
            timeout: how long an ask, or each value of a stream, may take, in seconds or as a timedelta.
            expires: a tell not started within this time is not run.
            idempotency_key: calls of the same actor with the same key run once; empty for none.
            wait_if_full: how long a call waits for room in a full mailbox before `MailboxFullError`; an ask
                waits for nine tenths of its timeout at the most. Tells of a turn wait in its outbox anyway.

        Raises:
            ConfigurationError: a duration is negative, or the key is too long.

        """
        target = target_of(self)
        old = target.options
        options = replace(
            old,
            timeout_seconds=old.timeout_seconds if timeout is None else seconds(timeout, "timeout"),
            expires_seconds=old.expires_seconds if expires is None else seconds(expires, "expires"),
            idempotency_key=old.idempotency_key if idempotency_key is None else _key(idempotency_key),
            wait_if_full_seconds=(
                old.wait_if_full_seconds if wait_if_full is None else seconds(wait_if_full, "wait_if_full")
            ),
        )
        return new_handle(type(self), replace(target, options=options))

    def __eq__(self, other: object) -> bool:
        """Return whether *other* is a handle on the same actor."""
        return isinstance(other, Handle) and target_of(self).address == target_of(other).address

    def __hash__(self) -> int:
        """Return the hash of the address."""
        return hash(target_of(self).address)

    def __repr__(self) -> str:
        """Return `Counter/c1`."""
        return str(target_of(self).address)


def target_of(handle: Handle) -> Target:
    """Return where *handle*'s calls go."""
    target: Target = vars(handle)[_TARGET]
    return target


def new_handle(cls: type[HandleT], target: Target) -> HandleT:
    """Return a handle of class *cls*. No code of the user's classes runs."""
    handle = object.__new__(cls)
    vars(handle)[_TARGET] = target
    return handle


def _key(key: str) -> str:
    if not is_text(key):
        raise ConfigurationError(f"idempotency_key={key!r} must be a text: use {str(key)!r}")
    if len(key) > KEY_CHARACTERS_MAX:
        text = f"an idempotency_key has at most {KEY_CHARACTERS_MAX} characters, not {len(key)}"
        raise ConfigurationError(text)
    return key
