"""Reminders in virtual time: years of them, in a moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from broker_actors.core.errors import ConfigurationError
from broker_actors.testing import ActorKit, VirtualClock, actor_test
from tests.acceptance.bell import Bell, BellRef

PASSES = 10
BERLIN = ZoneInfo("Europe/Berlin")


def ticks(kit: ActorKit) -> list[str]:
    """Return when the ticks that ran were due, as clocks in Berlin show it."""
    due = [int(ended.message_id.rpartition("@")[2]) for ended in kit.turns if ended.method == "ring"]
    return [datetime.fromtimestamp(ms / 1000, BERLIN).isoformat(timespec="minutes") for ms in due]


async def nobody_there(clock: VirtualClock, by: timedelta) -> None:
    """Let time pass without a worker: the broker goes on, and nobody consumes."""
    end_seconds = clock.monotonic_seconds() + by.total_seconds()
    while (stop_seconds := clock.next_seconds) is not None and stop_seconds <= end_seconds:
        clock.jump_to(stop_seconds)
        for _ in range(PASSES):
            # Who wakes up may start somebody who sleeps in turn.
            await asyncio.sleep(0)
    clock.jump_to(end_seconds)


async def test_it_ticks_at_nine_also_when_clocks_change() -> None:
    start = datetime(2026, 3, 27, 12, tzinfo=BERLIN)
    async with actor_test(Bell, clock=VirtualClock(start)) as kit:
        await kit.ref(BellRef, "b1").ring_at("0 9 * * *", "Europe/Berlin")
        await kit.advance(timedelta(days=3))
        assert ticks(kit) == ["2026-03-28T09:00+01:00", "2026-03-29T09:00+02:00", "2026-03-30T09:00+02:00"]


async def test_it_ticks_on_whether_the_actor_is_in_memory_or_not() -> None:
    async with actor_test(Bell, clock=VirtualClock()) as kit:
        bell = kit.ref(BellRef, "b1")
        await bell.ring_every(86_400, "ding")
        await kit.advance(timedelta(days=30, seconds=5))
        await kit.restart()
        await kit.advance(timedelta(days=30))
        assert await bell.rung() == ["ding"] * 60


@pytest.mark.parametrize(("missed", "count"), [("once", 1), ("all", 5), ("skip", 0)])
async def test_what_was_missed_is_as_the_policy_says(missed: str, count: int) -> None:
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))
    async with actor_test(Bell, clock=clock) as kit:
        bell = kit.ref(BellRef, "b1")
        await bell.ring_every(3600, "ding", missed)
        await kit._stop()
        await nobody_there(clock, timedelta(hours=5, minutes=30))
        await kit._start()
        await kit.advance(60)
        assert len(await bell.rung()) == count
        await kit.advance(timedelta(hours=1))
        assert len(await bell.rung()) == count + 1, "and after that it goes on as before"


async def test_an_actor_has_a_bounded_number_of_them() -> None:
    async with actor_test(Bell, clock=VirtualClock()) as kit:
        with pytest.raises(ConfigurationError, match=r"period=0\.5"):
            await kit.ref(BellRef, "b1").ring_every(0.5, "ding")
