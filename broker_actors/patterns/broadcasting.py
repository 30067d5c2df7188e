"""Broadcast: one method of many actors, an outcome of each.

Asks run beside each other, each with a deadline of its own; tells leave as one batch whose
confirms are waited for together. Invariant: nothing is sent if one of the actors has no such
method or the arguments do not fit, and what is sent to one is not held up by another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Generic, ParamSpec, TypeVar

from broker_actors.actor.durations import Duration, seconds
from broker_actors.actor.handle import target_of
from broker_actors.actor.method import Coro, Method
from broker_actors.actor.ref import Ref, remote_of
from broker_actors.actor.remote import StreamRemote
from broker_actors.core.errors import ConfigurationError
from broker_actors.patterns.outcomes import Failed, Ok, Outcome, Outcomes, TimedOut
from broker_actors.patterns.running import check_concurrency, run_all
from broker_actors.ports.calling import Call, Caller

P = ParamSpec("P")
R = TypeVar("R")
RefT = TypeVar("RefT", bound=Ref)


class Broadcast(Generic[RefT]):
    """Many actors to call at once; made by `broadcast`."""

    def __init__(
        self,
        refs: Iterable[RefT],
        *,
        timeout_seconds: float | None,
        overall_seconds: float | None,
        concurrency: int,
    ) -> None:
        self._refs = tuple(refs)
        for ref in self._refs:
            _check_ref(ref)
        self._timeout_seconds = timeout_seconds
        self._overall_seconds = overall_seconds
        self._concurrency = concurrency

    async def ask(
        self, method: Method[Any, P, Any, Coro[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Outcomes[RefT, R]:
        """Ask every actor, all of them before the first answer is waited for; return what became of each.

        Raises:
            AttributeError: one of the actors has no such method; nothing is sent.
            InvalidArgumentsError: the arguments do not fit the signature; nothing is sent.

        """
        _check_method(method)
        for ref in self._refs:
            remote_of(ref, method).as_call(*args, **kwargs)
        now = asyncio.get_running_loop().time
        ends_at = None if self._overall_seconds is None else now() + self._overall_seconds

        async def ask(ref: RefT) -> R:
            left = None if ends_at is None else max(0.001, ends_at - now())
            each = self._timeout_seconds
            if each is None:
                each = target_of(ref).options.timeout_seconds
            # The deadline travels: what has not begun when it passes does not run.
            timeout = min((one for one in (each, left) if one is not None), default=None)
            return await remote_of(ref.with_options(timeout=timeout), method)(*args, **kwargs)

        return await run_all(
            ask, self._refs, concurrency=self._concurrency, overall_seconds=self._overall_seconds
        )

    async def tell(
        self, method: Method[Any, P, Any, Coro[Any]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Outcomes[RefT, None]:
        """Tell every actor, as one batch; return what became of each when the broker has confirmed them.

        Inside a turn they are recorded, and leave with its commit.

        Raises:
            AttributeError: one of the actors has no such method; nothing is sent.
            InvalidArgumentsError: the arguments do not fit the signature; nothing is sent.
            PlatformError: the actor system is closed.

        """
        _check_method(method)
        calls: dict[Caller, list[tuple[int, Call]]] = {}
        for n, ref in enumerate(self._refs):
            remote = remote_of(ref, method)
            if isinstance(remote, StreamRemote):
                raise ConfigurationError(f"{remote!r} is a generator: nobody would read what it yields")
            calls.setdefault(target_of(ref).route(), []).append((n, remote.as_call(*args, **kwargs)))
        why = TimeoutError(f"not within the {self._overall_seconds or 0:g} s for all of them")
        found: list[Outcome[None]] = [TimedOut(why)] * len(self._refs)
        overall = asyncio.timeout(self._overall_seconds)
        try:
            async with overall:
                for caller, some in calls.items():
                    answers = await caller.tell_all([call for _, call in some])
                    for (n, _), error in zip(some, answers, strict=True):
                        found[n] = Ok(None) if error is None else Failed(error)
        except TimeoutError:
            if not overall.expired():
                raise
        return Outcomes(self._refs, tuple(found))


def _check_ref(ref: object) -> None:
    if not isinstance(ref, Ref):
        text = (
            f"{ref!r} cannot be called together with others: it takes refs of a class that inherits `Ref`; "
            "refs of a type known by name are called by `each`"
        )
        raise ConfigurationError(text)


def _check_method(method: object) -> None:
    if not isinstance(method, Method):
        text = f"{method!r} is no method of an actor: pass it as the class has it, as in `Counter.increment`"
        raise ConfigurationError(text)


def broadcast(
    refs: Iterable[RefT],
    *,
    timeout: Duration | None = None,
    overall: Duration | None = None,
    concurrency: int | None = None,
) -> Broadcast[RefT]:
    """Return what calls all of *refs* together.

    Args:
        refs: the actors, in the order of the outcomes.
        timeout: how long each ask may take, in seconds or as a timedelta; by default what the ref says,
            or else as long as all of them.
        overall: how long all of them may take. What has not ended by then has timed out.
        concurrency: asks under way at a time; 1,000 by default.

    Raises:
        ConfigurationError: a duration or the concurrency is out of bounds.

    """
    timeout_seconds = None if timeout is None else seconds(timeout, "timeout")
    if timeout_seconds == 0:
        raise ConfigurationError("timeout=0: nobody answers in no time")
    return Broadcast(
        refs,
        timeout_seconds=timeout_seconds,
        overall_seconds=None if overall is None else seconds(overall, "overall"),
        concurrency=check_concurrency(concurrency),
    )
