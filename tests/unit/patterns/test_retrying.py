"""Trying again on the caller's side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from broker_actors.core.errors import (
    AskTimeoutError,
    BrokerUnavailableError,
    BusinessError,
    CircuitOpenError,
    ConfigurationError,
    MailboxFullError,
    PayloadTooLargeError,
    SystemFaultError,
)
from broker_actors.core.retry import Retry
from broker_actors.patterns import Retrying
from tests.unit.patterns.clocks import VirtualClock

THRICE = Retry(attempts=3, min_backoff=1.0, max_backoff=60.0)


class Flaky:
    """Raises what it is given, one after the other, and then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors: Sequence[BaseException] = errors
        self.calls = 0

    async def get(self, what: str) -> str:
        self.calls += 1
        if self.calls <= len(self.errors):
            raise self.errors[self.calls - 1]
        return what


async def test_what_passes_is_tried_until_it_succeeds_with_growing_waits() -> None:
    clock, flaky = VirtualClock(), Flaky(OSError(), SystemFaultError("x"))
    calling = asyncio.create_task(Retrying(THRICE, timer=clock).call(flaky.get, "a"))
    await clock.advance(10)
    assert await calling == "a"
    # Half of 1 s and of 2 s: this clock's dice always show 0.5.
    assert clock.slept == [0.5, 1.0]


async def test_the_last_error_is_raised_and_nothing_else_returned() -> None:
    clock, flaky = VirtualClock(), Flaky(*(OSError(str(n)) for n in range(5)))
    calling = asyncio.create_task(Retrying(THRICE, timer=clock).call(flaky.get, "a"))
    await clock.advance(10)
    with pytest.raises(OSError, match="2"):
        await calling
    assert flaky.calls == 3


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (BusinessError("no"), False),
        (SystemFaultError("gone", recoverable=False), False),
        (ConfigurationError("wrong"), False),
        (PayloadTooLargeError("big"), False),
        (SystemFaultError("hiccup"), True),
        (BrokerUnavailableError("away"), True),
        (MailboxFullError("full"), True),
        (CircuitOpenError("open"), True),
        (AskTimeoutError(), True),
        (TimeoutError(), True),
        (ValueError(), True),
    ],
)
async def test_it_honours_what_errors_say_of_themselves(error: Exception, *, is_tried_again: bool) -> None:
    flaky = Flaky(error)
    calling = Retrying(Retry(attempts=2, min_backoff=0, max_backoff=0), timer=VirtualClock())
    if is_tried_again:
        assert await calling.call(flaky.get, "a") == "a"
    else:
        with pytest.raises(type(error)):
            await calling.call(flaky.get, "a")
        assert flaky.calls == 1


async def test_who_makes_it_says_what_is_tried_again() -> None:
    flaky = Flaky(BusinessError("busy"))
    patient = Retrying(
        Retry(attempts=2, min_backoff=0, max_backoff=0),
        recoverable=lambda error: isinstance(error, BusinessError) and error.code == "busy",
    )
    assert await patient.call(flaky.get, "a") == "a"


async def test_a_cancelled_caller_does_not_try_again() -> None:
    flaky = Flaky(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await Retrying(THRICE).call(flaky.get, "a")
    assert flaky.calls == 1


async def test_a_caller_may_be_cancelled_while_it_waits() -> None:
    clock, flaky = VirtualClock(), Flaky(OSError())
    calling = asyncio.create_task(Retrying(THRICE, timer=clock).call(flaky.get, "a"))
    await clock.settle()
    calling.cancel()
    await asyncio.wait([calling])
    assert calling.cancelled()
    assert flaky.calls == 1
