"""A loop that was held up is no reason to give up a server."""

from __future__ import annotations

import asyncio
import time

import pytest

from broker_actors.adapters.redis.patience import LATE_SECONDS, patience

PATIENCE_SECONDS = 0.05


def hold_up() -> None:
    """Hold up the loop until every timer is late."""
    time.sleep(PATIENCE_SECONDS + 1.5 * LATE_SECONDS)  # noqa: TID251 - what this is about


async def nothing_comes(*, held_up: bool) -> None:
    async with patience(PATIENCE_SECONDS):
        if held_up:
            asyncio.get_running_loop().call_soon(hold_up)
        await asyncio.Event().wait()


@pytest.mark.parametrize("held_up", [False, True])
async def test_a_server_that_does_not_answer_is_given_up(held_up: bool) -> None:
    with pytest.raises(TimeoutError):
        await nothing_comes(held_up=held_up)


async def test_an_answer_that_came_while_the_loop_was_held_up_is_read() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    async with patience(PATIENCE_SECONDS):
        loop.call_soon(hold_up)
        # Reading takes more than one pass of the loop, and all of them come after the timer was due.
        loop.call_soon(loop.call_later, PATIENCE_SECONDS / 2, answer.set_result, "late")
        assert await answer == "late"


async def test_a_caller_that_gives_up_is_not_held() -> None:
    waiting = asyncio.ensure_future(nothing_comes(held_up=False))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
