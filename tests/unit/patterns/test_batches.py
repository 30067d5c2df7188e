"""A function for each of many items."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.core.errors import BusinessError, ConfigurationError
from broker_actors.core.retry import Retry
from broker_actors.patterns import Failed, Ok, TimedOut, each
from tests.acceptance.gate import Gate

AT_ONCE = Retry(attempts=3, min_backoff=0, max_backoff=0)


async def double(n: int) -> int:
    await asyncio.sleep(0)
    if n < 0:
        raise BusinessError("negative")
    return 2 * n


async def test_results_are_in_the_order_of_the_items_whichever_ends_first() -> None:
    ended: list[int] = []
    gates = {n: asyncio.Event() for n in range(3)}

    async def work(n: int) -> int:
        await gates[n].wait()
        ended.append(n)
        if n > 0:
            gates[n - 1].set()
        return n * n

    gates[2].set()
    assert (await each(work, range(3))).values() == [0, 1, 4]
    assert ended == [2, 1, 0]


async def test_one_after_the_other_if_the_concurrency_is_one() -> None:
    gate, order = Gate(), list[int]()
    gate.open.set()

    async def work(n: int) -> None:
        order.append(n)
        async with gate.passing():
            await asyncio.sleep(0)

    await each(work, range(10), concurrency=1)
    assert (order, gate.most) == (list(range(10)), 1)


async def test_no_more_at_a_time_than_the_concurrency() -> None:
    gate = Gate()

    async def work(_: int) -> None:
        async with gate.passing():
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        working = group.create_task(each(work, range(20), concurrency=3))
        await gate.holds(3)
        gate.open.set()
    assert (gate.most, len(working.result().ok)) == (3, 20)


async def test_an_error_is_the_outcome_of_its_item_alone() -> None:
    outcomes = await each(double, [1, -1, 3])
    first, second, third = outcomes.outcomes
    assert (first, third) == (Ok(2), Ok(6))
    assert isinstance(second, Failed)
    assert isinstance(second.error, BusinessError)
    assert [item for item, _ in outcomes.errors] == [-1]


async def test_each_item_has_attempts_of_its_own() -> None:
    calls: dict[str, int] = {}

    async def flaky(name: str) -> str:
        calls[name] = calls.get(name, 0) + 1
        if name == "never" or calls[name] < 3:
            raise OSError(name)
        return name

    outcomes = await each(flaky, ["a", "never", "b"], retry=AT_ONCE)
    assert outcomes.ok == [("a", "a"), ("b", "b")]
    assert calls == {"a": 3, "never": 3, "b": 3}


async def test_what_an_item_is_refused_for_is_not_tried_again() -> None:
    calls = 0

    async def refuse(_: int) -> None:
        nonlocal calls
        calls += 1
        raise BusinessError("no")

    await each(refuse, [1], retry=AT_ONCE)
    assert calls == 1


async def test_any_limiter_lets_in_so_many_at_a_time() -> None:
    gate = Gate()
    gate.open.set()

    async def work(_: int) -> None:
        async with gate.passing():
            await asyncio.sleep(0)

    outcomes = await each(work, range(9), concurrency=asyncio.Semaphore(2))
    assert (gate.most, len(outcomes.ok)) == (2, 9)


async def test_each_attempt_enters_the_limiter_and_leaves_it() -> None:
    class Doors:
        inside = entered = 0

        async def __aenter__(self) -> None:
            self.inside += 1
            self.entered += 1

        async def __aexit__(self, *_: object) -> None:
            self.inside -= 1

    doors, attempts = Doors(), 0

    async def flaky(n: int) -> int:
        nonlocal attempts
        attempts += 1
        assert doors.inside == 1
        if attempts == 1:
            raise OSError
        return n

    assert (await each(flaky, [7], concurrency=doors, retry=AT_ONCE)).values() == [7]
    assert (doors.entered, doors.inside) == (2, 0)


async def test_a_slow_item_times_out_alone_and_is_cancelled() -> None:
    cancelled: list[str] = []

    async def work(name: str) -> str:
        if name == "slow":
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                cancelled.append(name)
                raise
        return name

    outcomes = await each(work, ["quick", "slow"], timeout=0.05)
    assert outcomes.ok == [("quick", "quick")]
    assert (outcomes.timeouts, cancelled) == (["slow"], ["slow"])


async def test_after_the_overall_timeout_nothing_runs_or_begins() -> None:
    began: list[int] = []

    async def work(n: int) -> int:
        began.append(n)
        if n:
            await asyncio.get_running_loop().create_future()
        return n

    outcomes = await each(work, range(5), concurrency=2, overall=0.05)
    assert began == [0, 1, 2]
    assert outcomes.outcomes[0] == Ok(0)
    assert all(isinstance(one, TimedOut) for one in outcomes.outcomes[1:])
    with pytest.raises(ExceptionGroup, match="4 of 5"):
        outcomes.values()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_cancelled_caller_leaves_nothing_running() -> None:
    gate = Gate()

    async def work(_: int) -> None:
        async with gate.passing():
            pass

    working = asyncio.create_task(each(work, range(5)))
    await gate.holds(5)
    working.cancel()
    await asyncio.wait([working])
    assert working.cancelled()
    assert gate.inside == 0


async def test_an_item_that_somebody_else_cancels_ends_no_other() -> None:
    async def work(n: int) -> int:
        if n == 1:
            gone = asyncio.ensure_future(asyncio.sleep(60))
            gone.cancel()
            await gone
        return n

    outcomes = await each(work, range(3))
    assert [item for item, _ in outcomes.ok] == [0, 2]
    assert isinstance(outcomes.errors[0][1], asyncio.CancelledError)


async def test_what_ends_a_program_ends_the_batch() -> None:
    async def work(n: int) -> int:
        if n == 1:
            raise KeyboardInterruptLike
        await asyncio.get_running_loop().create_future()
        return n

    class KeyboardInterruptLike(BaseException):
        pass

    with pytest.raises(KeyboardInterruptLike):
        await each(work, range(3))


async def test_no_items_are_no_error_and_no_concurrency_is() -> None:
    assert (await each(double, [])).values() == []
    with pytest.raises(ConfigurationError):
        await each(double, [1], concurrency=0)
