"""What a user may write, with the types both checkers must see. Checked, never run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from broker_actors import ActorSystem, Ref, Retry, actor, method, turn
from broker_actors.actor.method import Method
from broker_actors.actor.scheduled import ScheduledTell
from broker_actors.actor.stream import Stream
from broker_actors.actor.untyped import UntypedRef
from broker_actors.core.errors import Plain
from broker_actors.patterns import (
    CircuitBreaker,
    Failed,
    Group,
    Ok,
    Outcomes,
    Place,
    Retrying,
    TimedOut,
    broadcast,
    each,
)


@actor(
    partitions=8, idle_timeout=timedelta(minutes=5), mailbox="shared", retry=Retry(attempts=3), codec="json"
)
class Counter:
    value: int = 0

    @method
    def increment(self, n: int = 1) -> int:
        self.value += n
        return self.value

    @method.options(interleave=True, retry=Retry(attempts=1))
    async def fetch(self, url: str) -> bytes:
        assert_type(self.increment(2), int)
        assert_type(turn.current().attempt, int)
        assert_type(turn.current().deadline, datetime | None)
        assert_type(await turn.current().ref(CounterRef, url).increment(), int)
        async with turn():
            self.value += 1
        return b""

    @method
    async def tokens(self, prompt: str) -> AsyncIterator[str]:
        yield prompt

    @method
    def letters(self) -> Iterator[str]:
        yield "a"

    @method.options(run_in="thread")
    def reset(self) -> None:
        self.value = 0


@actor
class Doubling(Counter):
    @method
    def increment(self, n: int = 1) -> int:
        return super().increment(2 * n)


class CounterRef(Counter, Ref):
    """A typed handle."""


class Cart(Ref):
    """A contract."""

    @method
    async def add(self, sku: str, *, amount: int = 1) -> list[str]:
        raise NotImplementedError

    @method
    def watch(self) -> AsyncIterator[int]:
        raise NotImplementedError


class CartHandle(Ref, actor_type="Cart"):
    """A contract by another name."""


def local(counter: Counter) -> None:
    assert_type(counter.increment(5), int)
    _ = assert_type(counter.fetch("u"), Coroutine[Any, Any, bytes])
    assert_type(counter.tokens("p"), AsyncIterator[str])
    assert_type(Counter.reset, Method[Counter, [], None, Coroutine[Any, Any, None]])
    assert_type(Counter(), Counter)


async def asks(system: ActorSystem) -> None:
    counter = system.ref(CounterRef, "c1")
    assert_type(counter, CounterRef)
    assert_type(await counter.increment(), int)
    assert_type(await counter.increment(5), int)
    assert_type(await counter.increment(n=5), int)
    assert_type(await counter.fetch(url="u"), bytes)
    assert_type(await counter.reset(), None)
    assert_type(await asyncio.create_task(counter.increment()), int)
    assert_type(await counter.ask(Counter.increment, 5), int)
    assert_type(await counter.ask(Counter.fetch, url="u"), bytes)
    assert_type(counter.actor_id, str)


async def options(counter: CounterRef) -> None:
    patient = counter.with_options(timeout=2.5, expires=timedelta(hours=1), idempotency_key="order-42")
    assert_type(patient, CounterRef)
    assert_type(await patient.increment(5), int)


async def tells(counter: CounterRef) -> None:
    await counter.increment.tell()
    await counter.increment.tell(n=5)
    handle: ScheduledTell = await counter.increment.tell_after(30, 5)
    await counter.increment.tell_at(datetime(2030, 1, 1, tzinfo=UTC), 5)
    is_cancelled: bool = await handle.cancel()
    assert is_cancelled
    await counter.increment.tell_after(timedelta(minutes=1), n=5)


async def streams(counter: CounterRef, cart: Cart) -> None:
    assert_type(counter.tokens("p"), Stream[str])
    async for token in counter.tokens("p"):
        assert_type(token, str)
    async for letter in counter.letters():
        assert_type(letter, str)
    async for size in cart.watch():
        assert_type(size, int)
    assert_type(await counter.tokens("p"), str | None)
    await counter.tokens("p").aclose()


async def contracts(system: ActorSystem) -> None:
    assert_type(await system.ref(Cart, "u1").add("tea", amount=2), list[str])
    assert_type(system.ref(CartHandle, "u1"), CartHandle)


async def untyped(system: ActorSystem) -> None:
    counter = system.ref("Counter", "c1")
    assert_type(counter, UntypedRef)
    assert_type(await counter.increment(5), Plain)
    assert_type(await counter.call("increment", 5), Plain)
    await counter.increment.tell_after(5, n=1)
    assert_type(turn.current().ref("Counter", "c1"), UntypedRef)


async def many(system: ActorSystem) -> None:
    group = system.group(CounterRef, "all")
    assert_type(group, Group[CounterRef])
    outcomes = await broadcast(await group.members(), timeout=1, overall=timedelta(minutes=1)).ask(
        Counter.increment, n=5
    )
    assert_type(outcomes, Outcomes[CounterRef, int])
    assert_type(outcomes.values(), list[int])
    for ref, outcome in outcomes:
        assert_type(ref, CounterRef)
        match outcome:
            case Ok(value):
                assert_type(value, int)
            case Failed(error):
                assert_type(error, BaseException)
            case TimedOut():
                assert_type(outcome, TimedOut)
    told = await broadcast([system.ref(CounterRef, "c1")]).tell(Counter.increment, 5)
    assert_type(told, Outcomes[CounterRef, None])


async def around(counter: CounterRef, system: ActorSystem) -> None:
    assert_type(await each(counter.increment, [1, 2], concurrency=2), Outcomes[int, int])
    limiter = system.limiter("l", 3, lease=timedelta(minutes=1))
    assert_type(await each(counter.increment, [1], concurrency=limiter), Outcomes[int, int])
    async with limiter as place:
        assert_type(place, Place)
    assert_type(await CircuitBreaker("c").call(counter.increment, n=5), int)
    assert_type(await Retrying(Retry(attempts=2)).call(counter.increment, 5), int)
