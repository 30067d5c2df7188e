"""Signals that nobody waits for: one at a time, and none that is wanted is left out."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from broker_actors.ports.control import Control, Listener
from broker_actors.runtime.waking import Waking

HANG_SECONDS = 20.0
ONE, OTHER = Listener("channel", "one"), Listener("channel", "other")


class Channel:
    """Takes signals as long as it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.begun: list[Listener] = []
        self.done: list[Listener] = []
        self.came = asyncio.Event()
        self.error: Exception | None = None

    async def signal(self, listener: Listener) -> None:
        self.begun.append(listener)
        self.came.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.done.append(listener)


@pytest.fixture
async def channel() -> Channel:
    return Channel()


@pytest.fixture
def waking(channel: Channel) -> Waking:
    return Waking(cast("Control", channel))


async def test_whoever_signals_goes_on_at_once_and_what_is_wanted_meanwhile_is_one_more(
    channel: Channel, waking: Waking
) -> None:
    waking.wake(ONE)
    await asyncio.wait_for(channel.came.wait(), HANG_SECONDS)
    for _ in range(5):
        waking.wake(OTHER)
    assert (channel.begun, channel.done) == ([ONE], [])
    channel.open.set()
    await asyncio.wait_for(waking.settle(), HANG_SECONDS)
    assert channel.done == [ONE, OTHER]


async def test_what_is_wanted_in_the_moment_in_which_the_last_one_ends_is_signalled(
    channel: Channel, waking: Waking
) -> None:
    channel.open.set()
    for count in range(1, 20):
        waking.wake(ONE)
        # One pass more each time: while it is begun, while it ends, and after.
        for _ in range(count):
            await asyncio.sleep(0)
        waking.wake(OTHER)
        await asyncio.wait_for(waking.settle(), HANG_SECONDS)
        assert channel.done[-1] == OTHER


async def test_nothing_is_signalled_after_settling_was_cancelled(channel: Channel, waking: Waking) -> None:
    waking.wake(ONE)
    settling = asyncio.create_task(waking.settle())
    await asyncio.wait_for(channel.came.wait(), HANG_SECONDS)
    settling.cancel()
    await asyncio.wait([settling])
    channel.open.set()
    await asyncio.wait_for(waking.settle(), HANG_SECONDS)
    assert channel.done == []


async def test_what_a_signal_raises_is_not_kept_silent(channel: Channel, waking: Waking) -> None:
    channel.error = RuntimeError("a mistake")
    channel.open.set()
    waking.wake(ONE)
    with pytest.raises(RuntimeError, match="a mistake"):
        await waking.settle()


async def test_settling_without_a_signal_returns_at_once(waking: Waking) -> None:
    await asyncio.wait_for(waking.settle(), HANG_SECONDS)
