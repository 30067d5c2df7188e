"""Rhythms: on the days clocks change, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.errors import ConfigurationError
from broker_actors.core.rhythm import At, Cron, Every, Rhythm, begun, next_ms

#: From 2000 to 2099.
moments = st.integers(946_684_800_000, 4_070_908_800_000)
#: Zones whose clocks change by an hour, by half of one, at midnight, in the south, and not at all.
zones = st.sampled_from(
    ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "America/New_York", "Asia/Kolkata", "UTC"]
)
expressions = st.sampled_from(
    [
        "* * * * *",
        "*/15 * * * *",
        "30 2 * * *",
        "0 0 * * *",
        "0 9 * * mon-fri",
        "15 1-3 * * sun",
        "0 0 29 2 *",
    ]
)
rhythms: st.SearchStrategy[Rhythm] = st.one_of(
    st.builds(Every, st.integers(1_000, 10**10), moments),
    st.builds(At, moments),
    st.builds(Cron, expressions, zones),
)


def local(cron: Cron, at: str) -> list[str]:
    """Return the next three moments after *at*, as clocks there show them."""
    zone, found = ZoneInfo(cron.zone), list[str]()
    ms: int | None = round(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000)
    for _ in range(3):
        assert ms is not None
        ms = next_ms(cron, ms)
        assert ms is not None
        found.append(datetime.fromtimestamp(ms / 1000, zone).isoformat())
    return found


@given(rhythms, moments)
def test_the_next_moment_is_always_later(rhythm: Rhythm, after_ms: int) -> None:
    found = next_ms(rhythm, after_ms)
    assert found is None or found > after_ms


@given(rhythms, moments, st.integers(0, 10**9))
def test_nothing_lies_between_a_moment_and_the_next(rhythm: Rhythm, after_ms: int, later_ms: int) -> None:
    found = next_ms(rhythm, after_ms)
    if found is not None and after_ms + later_ms < found:
        assert next_ms(rhythm, after_ms + later_ms) == found


@given(st.builds(Cron, expressions, zones), moments)
def test_a_cron_moment_is_a_whole_minute_within_the_distance_of_its_line(cron: Cron, after_ms: int) -> None:
    found = next_ms(cron, after_ms)
    assert found is not None
    assert found % 60_000 == 0
    if cron.expression == "* * * * *":
        assert found - after_ms <= 60_000, "every minute, also where an hour is left out or comes twice"


@given(st.integers(1_000, 10**10), moments, st.integers(0, 10**6))
def test_regular_moments_keep_their_distance_from_the_first(period_ms: int, first_ms: int, n: int) -> None:
    rhythm = Every(period_ms, first_ms)
    assert next_ms(rhythm, first_ms + n * period_ms) == first_ms + (n + 1) * period_ms
    assert next_ms(rhythm, first_ms - 1) == first_ms


def test_what_falls_into_the_hour_left_out_comes_at_its_end() -> None:
    assert local(Cron("30 2 * * *", "Europe/Berlin"), "2026-03-28T12:00:00") == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
        "2026-03-31T02:30:00+02:00",
    ]


def test_what_falls_into_the_hour_that_comes_twice_comes_once() -> None:
    assert local(Cron("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00") == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
        "2026-10-27T02:30:00+01:00",
    ]


def test_what_comes_every_half_hour_comes_in_both_of_them() -> None:
    assert local(Cron("*/30 * * * *", "Europe/Berlin"), "2026-10-25T00:00:00") == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
    ]


def test_nine_in_the_morning_stays_nine_in_the_morning() -> None:
    assert local(Cron("0 9 * * mon-fri", "Europe/Berlin"), "2026-03-27T07:59:30") == [
        "2026-03-27T09:00:00+01:00",
        "2026-03-30T09:00:00+02:00",
        "2026-03-31T09:00:00+02:00",
    ]


@pytest.mark.parametrize("expression", ["", "* * * *", "61 * * * *", "0 0 30 2 *", "@daily", "* * * * * * *"])
def test_a_line_that_is_none_is_refused(expression: str) -> None:
    with pytest.raises(ConfigurationError, match="write five fields"):
        Cron(expression)


@pytest.mark.parametrize("zone", ["", "Nowhere/Land", "../etc/passwd", "Europe"])
def test_a_zone_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(ConfigurationError, match="is not known here"):
        Cron("* * * * *", zone)


class TestBegun:
    def test_the_first_regular_moment_is_one_period_from_now(self) -> None:
        assert begun(Every(5_000), 0, 1_000_000) == (Every(5_000, 1_005_000), 1_005_000)

    def test_or_when_it_was_said_to_be(self) -> None:
        assert begun(Every(5_000), 2_000_000, 1_000_000) == (Every(5_000, 2_000_000), 2_000_000)

    def test_what_began_long_ago_goes_on_in_its_rhythm(self) -> None:
        assert begun(Every(5_000), 1_002_000, 1_010_000) == (Every(5_000, 1_002_000), 1_012_000)

    def test_a_moment_that_is_over_is_now(self) -> None:
        assert begun(At(5), 0, 1_000)[1] == 1_000
        assert begun(At(5_000), 0, 1_000)[1] == 5_000

    def test_a_line_may_begin_later(self) -> None:
        start = datetime(2030, 1, 1, 9, tzinfo=UTC)
        now_ms = round((start - timedelta(days=9)).timestamp() * 1000)
        start_ms = round(start.timestamp() * 1000)
        assert begun(Cron("0 9 * * *"), start_ms, now_ms)[1] == start_ms
