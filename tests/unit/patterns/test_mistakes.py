"""What cannot be meant is refused at once, before anything runs or is sent, and said in words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import pytest

from broker_actors import ActorSystem, ConfigurationError, Ref, Retry, actor, method
from broker_actors.actor.method import AnyMethod
from broker_actors.patterns import CircuitBreaker, broadcast, each

T = TypeVar("T")


@actor
class Tally:
    """Counts."""

    count: int = 0

    @method
    def add(self, n: int = 1) -> int:
        self.count += n
        return self.count


class TallyRef(Tally, Ref):
    """A handle on a tally."""


NOBODY: list[TallyRef] = []


def as_if(kind: type[T], value: object) -> T:
    """Return *value* as who has no type checker would pass it."""
    assert not isinstance(value, kind)
    return cast("T", value)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: Retry(attempts=as_if(int, "3")), "attempts='3' must be a whole number"),
        (lambda: Retry(attempts=as_if(int, 2.5)), "attempts=2.5 must be a whole number"),
        (lambda: CircuitBreaker("b", failures=as_if(int, "3")), "failures='3'"),
        (lambda: CircuitBreaker("b", probes=as_if(int, 1.5)), "probes=1.5"),
        (lambda: broadcast(NOBODY, concurrency=as_if(int, "3")), "concurrency='3' must be a whole number"),
        (lambda: broadcast(NOBODY, concurrency=True), "concurrency=True must be a whole number"),
        (lambda: broadcast(NOBODY, timeout=0), "timeout=0"),
        (lambda: broadcast([as_if(TallyRef, None)]), "None cannot be called together"),
        (lambda: broadcast([as_if(TallyRef, "Tally/t1")]), "'Tally/t1' cannot be called together"),
    ],
)
def test_a_number_or_ref_that_is_none_is_refused(mistake: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        mistake()


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: each(asyncio.sleep, [0.0], concurrency=as_if(int, "3")), "concurrency='3' must be a whole"),
        (lambda: each(asyncio.sleep, [0.0], concurrency=as_if(int, 2.5)), "concurrency=2.5 must be a whole"),
        (lambda: each(asyncio.sleep, [0.0], retry=as_if(Retry, 3)), r"retry=3 must be a Retry\(...\)"),
    ],
)
async def test_a_batch_that_cannot_run_is_refused(mistake: Callable[[], Awaitable[Any]], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        await mistake()


async def test_what_is_said_of_actors_that_cannot_be() -> None:
    async with ActorSystem.connect() as system:
        tally = system.ref(TallyRef, "t1")
        with pytest.raises(ConfigurationError, match="actor id 42 must be a text: use '42'"):
            system.ref(TallyRef, as_if(str, 42))
        with pytest.raises(ConfigurationError, match="idempotency_key=7 must be a text: use '7'"):
            tally.with_options(idempotency_key=as_if(str, 7))
        with pytest.raises(ConfigurationError, match="limiter name '' must be 1 to 170"):
            system.limiter("", 1)
        with pytest.raises(ConfigurationError, match="group name '' must be 1 to 170"):
            system.group(TallyRef, name="")
        with pytest.raises(ConfigurationError, match="group name 42 must be a text"):
            system.group(TallyRef, as_if(str, 42))
        with pytest.raises(ConfigurationError, match=r"places=1\.5 must be a whole number"):
            system.limiter("l", as_if(int, 1.5))
        with pytest.raises(ConfigurationError, match="Tally/u1 cannot be called together"):
            broadcast([as_if(TallyRef, system.ref("Tally", "u1"))])
        with pytest.raises(ConfigurationError, match="'add' is no method of an actor"):
            await broadcast([tally]).ask(cast("AnyMethod", "add"))
        with pytest.raises(ConfigurationError, match="'t1' is no ref"):
            await system.group(TallyRef, "g").join(as_if(TallyRef, "t1"))
