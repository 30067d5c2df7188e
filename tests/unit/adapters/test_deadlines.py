"""Callers of a server wait as long as they may, whoever waits beside them."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.adapters.deadlines import Deadlines

FOR_EVER_SECONDS = 3_600.0


def waiting() -> asyncio.Future[bytes]:
    return asyncio.get_running_loop().create_future()


async def test_who_has_waited_for_its_time_is_told() -> None:
    deadlines = Deadlines(0.0)
    one, other = waiting(), waiting()
    deadlines.watch(one)
    deadlines.watch(other)
    for each in (one, other):
        with pytest.raises(TimeoutError):
            await each


async def test_the_time_of_one_that_came_later_ends_though_the_first_was_answered() -> None:
    deadlines = Deadlines(0.01)
    first, later = waiting(), waiting()
    deadlines.watch(first)
    deadlines.watch(later)
    first.set_result(b"answer")
    with pytest.raises(TimeoutError):
        await later
    assert await first == b"answer"


async def test_one_that_comes_when_nobody_waits_any_more_is_told_in_its_time() -> None:
    deadlines = Deadlines(0.0)
    for _ in range(2):
        one = waiting()
        deadlines.watch(one)
        with pytest.raises(TimeoutError):
            await one


async def test_what_was_answered_is_not_kept() -> None:
    deadlines = Deadlines(FOR_EVER_SECONDS)
    for _ in range(100):
        one = waiting()
        deadlines.watch(one)
        one.set_result(b"answer")
    assert len(deadlines._waiting) == 1
    deadlines.close()


async def test_nobody_is_told_after_the_end() -> None:
    deadlines = Deadlines(0.0)
    one = waiting()
    deadlines.watch(one)
    deadlines.close()
    deadlines.close()
    # Later than its timer would be: timers of one time ring in the order in which they were set.
    rung = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, rung.set)
    await rung.wait()
    assert not one.done()
