"""What a ref needs to reach its actor: implemented by the client and by a running turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.codec import Simplify, refuse
from broker_actors.core.errors import Plain, PlatformError
from broker_actors.core.light import dataclass
from broker_actors.core.scheduled import Scheduled
from broker_actors.core.topology import Layout

#: The longest an ask may wait.
ASK_SECONDS_MAX: Final = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How a call is made.

    Attributes:
        timeout_seconds: an ask's deadline from now, or how long each value of a stream may take;
            None for the caller's default.
        expires_seconds: a tell not started within this time is not run; None for never.
        idempotency_key: scoped to the actor; empty for none.
        content_type: how arguments travel; empty for the caller's default.
        wait_if_full_seconds: how long to wait for room in a full mailbox, instead of failing at once;
            None for the caller's default.

    """

    timeout_seconds: float | None = None
    expires_seconds: float | None = None
    idempotency_key: str = ""
    content_type: str = ""
    wait_if_full_seconds: float | None = None


DEFAULTS = CallOptions()


@dataclass(frozen=True, slots=True)
class Call:
    """One call on a ref, before it becomes an envelope.

    Attributes:
        address: the actor.
        method: the method's name.
        args: positional arguments, not yet encoded.
        kwargs: keyword arguments, not yet encoded.
        options: how the call is made.
        declared: the layout the ref's class declares; None for contracts and untyped refs,
            which rely on the layout recorded in the store.
        simplify: turns values of declared types into plain ones when the call is encoded.
        chain: the actors that wait for this call, outermost first; set by a running turn.

    """

    address: Address
    method: str
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    options: CallOptions = DEFAULTS
    declared: Layout | None = None
    simplify: Simplify = refuse
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class When:
    """When a delayed tell is to arrive: at a moment, or after a while.

    Attributes:
        at_ms: Unix milliseconds; 0 for from now on.
        after_seconds: how much later.

    """

    at_ms: int = 0
    after_seconds: float = 0.0

    def due_ms(self, now_ms: int) -> int:
        """Return the moment in Unix milliseconds."""
        return (self.at_ms or now_ms) + round(self.after_seconds * 1000)


class Values(Protocol):
    """What a generator yields, plain, one after the other, with the way to stop it."""

    @property
    def call_id(self) -> str:
        """The name of the call, with which another process can go on reading."""
        ...

    @property
    def seq(self) -> int:
        """The number of the last value that was returned; 0 before the first."""
        ...

    async def __anext__(self) -> Plain:
        """Return the next value. The first call sends the request.

        Raises:
            StopAsyncIteration: the generator has ended, or the stream was closed.
            ActorError: what the generator raised, after all it had yielded.
            AskTimeoutError: no value in time; the generator is cancelled.
            PlatformError: the call could not be sent, or its chunks not be read.

        """
        ...

    async def aclose(self) -> None:
        """Cancel the generator, if it has not ended, and return once the store knows. Idempotent."""
        ...

    def abandon(self) -> None:
        """Cancel the generator without waiting. Safe to call from any thread. Idempotent."""
        ...


class Caller(Protocol):
    """Makes calls."""

    async def ask(self, call: Call) -> Plain:
        """Send *call* and return the plain result, before conversion to the declared type.

        Raises:
            ActorError: what the actor answered.
            AskTimeoutError: no answer by the deadline.
            PlatformError: the call could not be sent, or its arguments cannot travel.

        """
        ...

    async def tell(self, call: Call) -> None:
        """Return when the broker has confirmed *call*, or inside a turn when it is recorded.

        Raises:
            PlatformError: it could not be confirmed, is unroutable, or its arguments cannot travel.

        """
        ...

    async def schedule(self, call: Call, when: When) -> Scheduled:
        """Like `tell`, to arrive later, at a grain of one second; at once if that is over.

        Raises:
            PlatformError: see `tell`, or it cannot be listed.

        """
        ...

    async def cancel(self, entry: Scheduled) -> bool:
        """See to it that *entry* never runs; return whether that is so. At once, inside a turn, too.

        Raises:
            PlatformError: the store did not answer; it may be cancelled.

        """
        ...

    async def tell_all(self, calls: Sequence[Call]) -> Sequence[PlatformError | None]:
        """Send *calls*, which are tells, together; return what became of each, in order.

        As `tell` of each one after the other, but the broker's confirms are waited for together; inside
        a turn they are recorded. What one of them fails with is nothing to the others.

        Raises:
            PlatformError: nothing can be sent from here, or no more since the client was closed.

        """
        ...

    def stream(self, call: Call) -> Values:
        """Return what the generator method of *call* will yield.

        Nothing is sent before the first value is asked for.

        Raises:
            ConfigurationError: the call cannot be made.
            OutOfTurnError: the turn that would make it is over.

        """
        ...
