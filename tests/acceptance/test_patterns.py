"""Batches, limiters, breakers and retries around calls of actors, embedded and on real servers."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors import (
    AskTimeoutError,
    BusinessError,
    ConfigurationError,
    Ref,
    Retry,
    SystemFaultError,
    actor,
    method,
    turn,
)
from broker_actors.core.limiting import Granted, Terms
from broker_actors.patterns import CircuitBreaker, CircuitOpenError, Retrying, broadcast, each
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef
from tests.acceptance.gate import Gate
from tests.acceptance.listeners import Listener, listener, listeners
from tests.acceptance.watching import HANG_SECONDS

pytestmark = pytest.mark.embedded_first


async def test_a_batch_is_fanned_out_to_actors(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        outcomes = await each(
            lambda n: system.ref(CounterRef, f"c{n % 3}").increment(n), range(30), concurrency=5
        )
        totals = await each(lambda n: system.ref(CounterRef, f"c{n}").get(), range(3))
    assert len(outcomes.ok) == 30
    assert totals.values() == [sum(range(n, 30, 3)) for n in range(3)]


async def test_a_limiter_is_shared_by_systems_and_held_by_whoever_is_inside(deployment: Deployment) -> None:
    one, other = await deployment.system(), await deployment.system()
    gate = Gate()
    limiters = [system.limiter("together", 3) for system in (one, other)]

    async def work(n: int) -> int:
        async with limiters[n % 2] as place, gate.passing():
            return place.token

    async with asyncio.TaskGroup() as group:
        working = group.create_task(each(work, range(12)))
        await gate.holds(3)
        gate.open.set()
    tokens = working.result().values()
    assert gate.most == 3
    assert len(set(tokens)) == 12


async def test_a_limiter_lets_in_calls_of_actors(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(listener(gate)), asyncio.TaskGroup() as group:
        refs = listeners(system, *(f"l{n}" for n in range(6)))
        asking = group.create_task(
            each(lambda ref: ref.linger("hi"), refs, concurrency=system.limiter("calls", 2))
        )
        await gate.holds(2)
        gate.open.set()
    assert len(asking.result().ok) == 6
    assert gate.most == 2


class Guest(Ref):
    """An actor that enters a limiter in its turns."""

    @method
    async def enter(self) -> int:
        raise NotImplementedError


def guest(gate: Gate) -> type:
    @actor(partitions=2, name="Guest")
    class Entering:
        token: int = 0

        @method
        async def enter(self) -> int:
            async with turn.current().limiter("house", 2) as place, gate.passing():
                place.check()
                self.token = place.token
            return self.token

    return Entering


async def test_actors_of_all_workers_share_a_limiter_in_their_turns(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(guest(gate)), deployment.worker(guest(gate)), asyncio.TaskGroup() as group:
        guests = [system.ref(Guest, f"g{n}") for n in range(8)]
        entering = group.create_task(broadcast(guests).ask(Guest.enter))
        await gate.holds(2)
        gate.open.set()
    tokens = entering.result().values()
    assert len(set(tokens)) == 8
    assert gate.most == 2


async def test_the_place_of_a_process_that_died_is_free_after_its_lease(deployment: Deployment) -> None:
    system = await deployment.system()
    granted = await system.backend.places.take("dead", "whoever died", Terms(1, 1_000))
    assert isinstance(granted, Granted)
    async with asyncio.timeout(HANG_SECONDS), system.limiter("dead", 1) as place:
        assert place.token > granted.token


async def test_a_limiter_is_the_same_for_all_who_wait_in_a_process(deployment: Deployment) -> None:
    system = await deployment.system()
    limiter = system.limiter("one", 2)
    assert system.limiter("one", 2) is limiter
    assert system.limiter("one", 3) is not limiter
    with pytest.raises(ConfigurationError):
        system.limiter("", 1)
    with pytest.raises(ConfigurationError):
        system.limiter("one", 1, lease=0.5)


async def test_retries_with_a_key_take_effect_once(deployment: Deployment) -> None:
    """The caller gives up too early; its next attempt gets what the first has done."""
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(Counter, listener(gate)):
        counter = system.ref(CounterRef, "c").with_options(idempotency_key="order-42")
        again = Retrying(Retry(attempts=3, min_backoff=0, max_backoff=0))
        answers: list[int] = []

        async def charge() -> int:
            answers.append(await counter.increment(5))
            if len(answers) < 3:
                raise AskTimeoutError("the answer was lost")
            return answers[-1]

        assert await again.call(charge) == 5
        assert answers == [5, 5, 5]
        with pytest.raises(BusinessError):
            await again.call(system.ref(CounterRef, "c").refuse, 1)


async def test_a_breaker_around_an_actor_opens_by_its_faults_and_not_by_its_refusals(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    breaker = CircuitBreaker("counter", failures=2, reset=60)
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c")
        for _ in range(3):
            with pytest.raises(BusinessError):
                await breaker.call(counter.refuse, 1)
        assert await breaker.call(counter.increment, n=2) == 2
        for _ in range(2):
            with pytest.raises(SystemFaultError):
                await breaker.call(counter.fail, 1)
        with pytest.raises(CircuitOpenError):
            await breaker.call(counter.get)


async def test_a_ref_method_is_an_awaitable_function_like_any_other(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(listener(Gate())):
        ref = system.ref(Listener, "l")
        assert (await each(ref.hear, ["a", "b"], concurrency=1)).values() == ["l: a", "l: b"]
