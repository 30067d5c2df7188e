"""The counter: a total, a refusal, a key."""

from __future__ import annotations

import pytest

from broker_actors import BusinessError
from broker_actors.testing import actor_test
from workers.counter import Counter, CounterRef


async def test_it_counts_and_remembers_across_workers() -> None:
    async with actor_test(Counter) as kit:
        visits = kit.ref(CounterRef, "visits")
        assert await visits.increment() == 1
        assert await visits.increment(5) == 6
        await kit.restart()
        assert await visits.total() == 6


async def test_it_does_not_count_down() -> None:
    async with actor_test(Counter) as kit:
        visits = kit.ref(CounterRef, "visits")
        await visits.increment(2)
        with pytest.raises(BusinessError, match="a counter goes up, not by 0") as caught:
            await visits.increment(0)
        assert (caught.value.code, caught.value.details) == ("not_positive", {"value": 2})
        assert await visits.total() == 2


async def test_with_a_key_a_call_counts_once_however_often_it_is_sent() -> None:
    async with actor_test(Counter) as kit:
        visits = kit.ref(CounterRef, "visits")
        once = visits.with_options(idempotency_key="visit-1")
        assert [await once.increment(), await visits.increment(), await once.increment()] == [1, 2, 1]
        assert await visits.total() == 2
