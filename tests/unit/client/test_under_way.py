"""Closing ends the calls under way, and nothing else that their tasks do."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.client.under_way import CLOSED, UnderWay
from broker_actors.core.errors import PlatformError


class Calls:
    """Calls that wait until they are ended."""

    def __init__(self) -> None:
        self.under_way = UnderWay()
        self.ended: list[int] = []
        self.cleaning = asyncio.Event()
        self.may_end = asyncio.Event()

    async def hang(self, number: int = 0) -> int:
        """Wait for ever."""
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append(number)
        return number

    async def linger(self) -> None:
        """Take a while to end."""
        try:
            await self.hang()
        finally:
            self.cleaning.set()
            await self.may_end.wait()

    async def shrug(self) -> str:
        """Return although it was cancelled."""
        try:
            await self.hang()
        except asyncio.CancelledError:
            return "done"
        return "not cancelled"


async def let_pass() -> None:
    await asyncio.sleep(0)


async def test_closing_ends_calls_in_the_order_in_which_they_began_and_refuses_others() -> None:
    calls = Calls()
    tasks = [asyncio.create_task(calls.under_way.until_closed(calls.hang, n)) for n in range(5)]
    await let_pass()
    await calls.under_way.end_all()
    assert calls.ended == [0, 1, 2, 3, 4]
    for task in tasks:
        with pytest.raises(PlatformError, match=CLOSED):
            await task
    with pytest.raises(PlatformError, match=CLOSED):
        await calls.under_way.until_closed(calls.hang)
    assert calls.ended == [0, 1, 2, 3, 4]


async def test_closing_returns_when_the_last_call_has_ended_however_often_it_is_asked() -> None:
    calls = Calls()
    call = asyncio.create_task(calls.under_way.until_closed(calls.linger))
    await let_pass()
    closing = [asyncio.create_task(calls.under_way.end_all()) for _ in range(2)]
    await calls.cleaning.wait()
    await let_pass()
    assert not any(one.done() for one in closing)
    calls.may_end.set()
    await asyncio.gather(*closing)
    with pytest.raises(PlatformError, match=CLOSED):
        await call


async def test_a_task_whose_call_was_ended_goes_on_and_is_not_taken_for_a_cancelled_one() -> None:
    calls = Calls()

    async def caller() -> str:
        with pytest.raises(PlatformError, match=CLOSED):
            await calls.under_way.until_closed(calls.hang)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        return "went on"

    task = asyncio.create_task(caller())
    await let_pass()
    await calls.under_way.end_all()
    assert await task == "went on"
    assert task.cancelling() == 0


@pytest.mark.parametrize("closed_first", [False, True])
async def test_a_caller_that_somebody_else_cancels_in_the_same_moment_stays_cancelled(
    closed_first: bool,
) -> None:
    calls = Calls()
    task = asyncio.create_task(calls.under_way.until_closed(calls.hang))
    await let_pass()
    if not closed_first:
        task.cancel()
    closing = asyncio.create_task(calls.under_way.end_all())
    if closed_first:
        # In the loop pass in which closing begins: the call has not run in between.
        asyncio.get_running_loop().call_soon(task.cancel)
    await closing
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_a_call_returned_in_spite_of_its_end_is_returned() -> None:
    calls = Calls()
    task = asyncio.create_task(calls.under_way.until_closed(calls.shrug))
    await let_pass()
    await calls.under_way.end_all()
    assert await task == "done"
    assert task.cancelling() == 0


async def test_a_deadline_of_the_caller_that_passes_first_is_its_own() -> None:
    calls = Calls()

    async def caller() -> None:
        async with asyncio.timeout(0):
            await calls.under_way.until_closed(calls.hang)

    task = asyncio.create_task(caller())
    with pytest.raises(TimeoutError):
        await task
    assert calls.ended == [0]
    # Nothing of it is left to wait for.
    await calls.under_way.end_all()
