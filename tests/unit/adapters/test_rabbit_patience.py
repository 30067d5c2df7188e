"""An answer that comes behind much else is waited for, and one that does not come is not."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.adapters.rabbitmq.patience import DEADLINES_MAX, while_it_delivers

DEADLINE_SECONDS = 0.001


class Broker:
    """Answers after it was looked at so many times; delivers something in between, or nothing."""

    def __init__(self, answers_after: int, *, delivers: bool) -> None:
        self.looks = 0
        self.was_cancelled = False
        self._answers_after = answers_after
        self._delivers = delivers
        self._answer = asyncio.Event()

    async def open(self) -> str:
        try:
            await self._answer.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return "opened"

    def delivered(self) -> int:
        self.looks += 1
        if self.looks >= self._answers_after:
            self._answer.set()
        return self.looks if self._delivers else 0


async def test_what_comes_behind_deliveries_is_waited_for() -> None:
    broker = Broker(answers_after=4, delivers=True)
    assert await while_it_delivers(broker.open(), broker.delivered, DEADLINE_SECONDS) == "opened"


async def test_a_silent_broker_is_given_up_after_one_deadline() -> None:
    broker = Broker(answers_after=3, delivers=False)
    with pytest.raises(TimeoutError):
        await while_it_delivers(broker.open(), broker.delivered, DEADLINE_SECONDS)
    assert broker.was_cancelled
    assert broker.looks == 2


async def test_a_broker_that_only_delivers_is_given_up_in_the_end() -> None:
    broker = Broker(answers_after=100, delivers=True)
    with pytest.raises(TimeoutError):
        await while_it_delivers(broker.open(), broker.delivered, DEADLINE_SECONDS)
    assert broker.was_cancelled
    assert broker.looks == 2 * DEADLINES_MAX


async def test_whoever_stops_waiting_stops_the_opening() -> None:
    broker = Broker(answers_after=100, delivers=True)
    waiting = asyncio.ensure_future(while_it_delivers(broker.open(), broker.delivered, 60))
    while not broker.looks:  # noqa: ASYNC110 - one pass of the loop
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert broker.was_cancelled
