"""Virtual time, as a user's test sees it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from broker_actors import Ref, Retry, actor, method, turn
from broker_actors.core.errors import ConfigurationError
from broker_actors.testing import NotSettledError, VirtualClock, actor_test

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
#: Of the machine's own time: far less than any of the delays.
SOON_SECONDS = 5.0


@actor(retry=Retry(attempts=3, min_backoff=3600, max_backoff=7200), idle_timeout=300)
class Diary:
    """Notes what it is told, and when."""

    noted: list[str]

    def __init__(self) -> None:
        self.noted = []

    @method
    def note(self, text: str) -> None:
        self.noted.append(text)

    @method
    async def chain(self, left: int) -> None:
        self.noted.append(str(left))
        if left:
            await turn.current().ref(DiaryRef, turn.current().actor_id).chain.tell_after(86_400, left - 1)

    @method
    async def for_ever(self) -> None:
        await turn.current().ref(DiaryRef, turn.current().actor_id).for_ever.tell_after(1)

    @method
    def fail_at_first(self) -> None:
        if turn.current().attempt < 3:
            text = f"attempt {turn.current().attempt}"
            raise RuntimeError(text)
        self.noted.append("at last")

    @method
    async def read(self) -> list[str]:
        return self.noted


class DiaryRef(Diary, Ref):
    """Typed handle."""


@actor(retry=Retry(attempts=3, min_backoff=0.4, max_backoff=0.5))
class Hasty:
    """Tries again at once."""

    done: int = 0

    @method
    def stumble(self) -> None:
        if turn.current().attempt < 3:
            text = f"attempt {turn.current().attempt}"
            raise RuntimeError(text)
        self.done += 1

    @method
    def count(self) -> int:
        return self.done


class LongWaits(VirtualClock):
    """Draws the longest backoffs."""

    def chance(self) -> float:
        return 0.999


async def test_thirty_days_pass_at_once() -> None:
    async with actor_test(Diary, clock=VirtualClock()) as kit:
        began = time.monotonic()
        diary = kit.ref(DiaryRef, "d1")
        await diary.note.tell_after(timedelta(days=30), "thirty days")
        await kit.advance(timedelta(days=30, seconds=-2))
        assert await diary.read() == []
        await kit.advance(2)
        assert await diary.read() == ["thirty days"]
        assert time.monotonic() - began < SOON_SECONDS


async def test_all_that_is_due_happens_in_order_of_its_time() -> None:
    async with actor_test(Diary, clock=VirtualClock()) as kit:
        diary = kit.ref(DiaryRef, "d1")
        delays = [86_400 * n + 3 * n for n in range(1, 40)]
        for delay in reversed(delays):
            await diary.note.tell_after(delay, str(delay))
        await kit.advance(timedelta(days=41))
        assert await diary.read() == [str(delay) for delay in delays]


async def test_what_follows_from_what_is_due_happens_too() -> None:
    async with actor_test(Diary, clock=VirtualClock()) as kit:
        diary = kit.ref(DiaryRef, "d1")
        await diary.chain(3)
        await kit.advance(timedelta(days=2, hours=1))
        assert await diary.read() == ["3", "2", "1"]
        await kit.advance(timedelta(days=365))
        assert await diary.read() == ["3", "2", "1", "0"]


async def test_retries_wait_as_long_as_they_would() -> None:
    async with actor_test(Diary, clock=LongWaits()) as kit:
        diary = kit.ref(DiaryRef, "d1")
        await diary.fail_at_first.tell()
        await kit.advance(timedelta(minutes=50))
        assert [ended.outcome for ended in kit.turns] == ["retried"]
        await kit.advance(timedelta(hours=4))
        assert await diary.read() == ["at last"]


async def test_time_begins_when_the_test_says() -> None:
    clock = VirtualClock(START)
    async with actor_test(Diary, clock=clock) as kit:
        diary = kit.ref(DiaryRef, "d1")
        await diary.note.tell_at(START + timedelta(days=1), "tomorrow")
        await kit.advance(timedelta(hours=23, minutes=59))
        assert await diary.read() == []
        await kit.advance(timedelta(minutes=2))
        assert await diary.read() == ["tomorrow"]
        days = datetime.fromtimestamp(clock.now_ms() / 1000, UTC) - START
        assert timedelta(days=1, minutes=1) <= days < timedelta(days=1, minutes=2)


async def test_attempts_that_wait_in_place_are_waited_for() -> None:
    async with actor_test(Hasty, clock=LongWaits()) as kit:
        await kit.ref("Hasty", "h1").call("count")
        await kit.ref("Hasty", "h1").stumble.tell()
        await kit.advance(2)
        assert await kit.ref("Hasty", "h1").call("count") == 1


async def test_an_actor_that_is_idle_leaves_memory() -> None:
    async with actor_test(Diary, clock=VirtualClock()) as kit:
        diary = kit.ref(DiaryRef, "d1")
        await diary.note("before")
        await kit.advance(timedelta(days=1))
        assert await diary.read() == ["before"]


async def test_a_clock_that_is_not_the_tests_own_cannot_be_set_forward() -> None:
    async with actor_test(Diary) as kit:
        with pytest.raises(ConfigurationError, match=r"clock=VirtualClock\(\)"):
            await kit.advance(1)


async def test_what_never_ends_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker_actors.testing.virtual.STOPS_MAX", 20)
    async with actor_test(Diary, clock=VirtualClock()) as kit:
        await kit.ref(DiaryRef, "d1").for_ever()
        with pytest.raises(NotSettledError, match="20 things were due"):
            await kit.advance(timedelta(days=365))


class TestTheClock:
    async def test_a_sleeper_wakes_when_the_clock_is_set_forward(self) -> None:
        clock = VirtualClock()
        began = clock.monotonic_seconds()
        sleeping = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        assert 3599 < (clock.next_seconds or 0) - began < 3601
        clock.jump_to(began + 1800)
        await asyncio.sleep(0)
        assert (sleeping.done(), clock.wakes) == (False, False)
        clock.jump_to(clock.next_seconds or 0)
        assert clock.wakes
        await sleeping
        assert clock.next_seconds is None

    async def test_it_stands_still_while_it_is_set_forward(self) -> None:
        clock = VirtualClock(START)
        with clock.standing():
            began = (clock.monotonic_seconds(), clock.now_ms())
            await asyncio.sleep(0.002)
            assert (clock.monotonic_seconds(), clock.now_ms()) == began
            clock.jump_to(began[0] + 10)
            assert clock.now_ms() == began[1] + 10_000
        assert clock.now_ms() >= began[1] + 10_000

    async def test_a_short_sleep_ends_by_itself(self) -> None:
        await VirtualClock().sleep(0.001)

    async def test_who_is_cancelled_sleeps_no_more(self) -> None:
        clock = VirtualClock()
        sleeping = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        sleeping.cancel()
        await asyncio.wait([sleeping])
        assert clock.next_seconds is None

    def test_it_never_goes_back(self) -> None:
        clock = VirtualClock()
        before = clock.monotonic_seconds()
        clock.jump_to(before - 10)
        assert clock.monotonic_seconds() >= before
