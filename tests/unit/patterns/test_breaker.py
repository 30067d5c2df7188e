"""A circuit breaker around calls, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.core.errors import (
    AskTimeoutError,
    BusinessError,
    CircuitOpenError,
    ConfigurationError,
    SystemFaultError,
)
from broker_actors.patterns import CircuitBreaker
from tests.unit.patterns.clocks import VirtualClock


class Service:
    """Does what a test says."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, what: str = "a", *, times: int = 1) -> str:
        self.calls += 1
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return what * times


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def breaker(clock: VirtualClock) -> CircuitBreaker:
    return CircuitBreaker("service", failures=3, reset=10, timer=clock)


async def fail(breaker: CircuitBreaker, service: Service, error: Exception, times: int = 1) -> None:
    service.error = error
    for _ in range(times):
        with pytest.raises(type(error)):
            await breaker.call(service.get)
    service.error = None


async def test_it_passes_arguments_and_results(breaker: CircuitBreaker, service: Service) -> None:
    assert await breaker.call(service.get, "b", times=2) == "bb"
    assert breaker.state == "closed"


async def test_it_opens_lets_one_probe_through_and_closes(
    breaker: CircuitBreaker, service: Service, clock: VirtualClock
) -> None:
    await fail(breaker, service, OSError(), 3)
    assert repr(breaker) == "<circuit breaker service: open>"
    with pytest.raises(CircuitOpenError, match=r"'service' is open: it was not called; try again in 10\.0 s"):
        await breaker.call(service.get)
    assert service.calls == 3
    await clock.advance(10)
    service.open.clear()
    probe = asyncio.create_task(breaker.call(service.get))
    await clock.settle()
    assert breaker.state == "half-open"
    with pytest.raises(CircuitOpenError):
        await breaker.call(service.get)
    service.open.set()
    assert await probe == "a"
    assert breaker.state == "closed"
    assert service.calls == 4


async def test_a_probe_that_fails_opens_it_again(
    breaker: CircuitBreaker, service: Service, clock: VirtualClock
) -> None:
    await fail(breaker, service, OSError(), 3)
    await clock.advance(10)
    await fail(breaker, service, OSError())
    assert breaker.state == "open"


async def test_a_probe_that_is_cancelled_tells_nothing(
    breaker: CircuitBreaker, service: Service, clock: VirtualClock
) -> None:
    await fail(breaker, service, OSError(), 3)
    await clock.advance(10)
    service.open.clear()
    probe = asyncio.create_task(breaker.call(service.get))
    await clock.settle()
    probe.cancel()
    await asyncio.wait([probe])
    service.open.set()
    assert await breaker.call(service.get) == "a"


@pytest.mark.parametrize(
    "error", [BusinessError("no"), ConfigurationError("wrong"), CircuitOpenError("other")]
)
async def test_what_an_actor_refuses_is_an_answer(
    breaker: CircuitBreaker, service: Service, error: Exception
) -> None:
    await fail(breaker, service, error, 10)
    await fail(breaker, service, OSError(), 2)
    await fail(breaker, service, error)
    await fail(breaker, service, OSError(), 2)
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", [SystemFaultError("x"), AskTimeoutError(), ValueError()])
async def test_faults_and_timeouts_count(breaker: CircuitBreaker, service: Service, error: Exception) -> None:
    await fail(breaker, service, error, 3)
    assert breaker.state == "open"


async def test_who_makes_it_says_what_counts(service: Service, clock: VirtualClock) -> None:
    breaker = CircuitBreaker(
        "s", failures=1, counts=lambda error: isinstance(error, BusinessError), timer=clock
    )
    await fail(breaker, service, OSError(), 3)
    await fail(breaker, service, BusinessError("no"))
    assert breaker.state == "open"


async def test_without_a_timer_it_has_the_time_of_the_loop(service: Service) -> None:
    breaker = CircuitBreaker("s", failures=1, reset=0)
    await fail(breaker, service, OSError())
    assert await breaker.call(service.get) == "a"
