"""Reminders: which tick counts, and what becomes of one that comes late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import codec, dead
from broker_actors.core.address import Address
from broker_actors.core.envelope import from_wire
from broker_actors.core.errors import ConfigurationError, PayloadTooLargeError, UndecodableError, describe
from broker_actors.core.outgoing import Destination
from broker_actors.core.reminders import (
    BODY_BYTES_MAX,
    LATE_MS_MAX,
    MADE_UP_MAX,
    Reminder,
    check_body,
    check_name,
    id_of,
    judge,
    name_in,
    unpack,
)
from broker_actors.core.rhythm import At, Cron, Every, Missed, Plan

NOW_MS = 1_700_000_000_000
MINUTE_MS = 60_000
ADDRESS = Address("Shop", "s1")
PLAN = Plan(Every(MINUTE_MS, NOW_MS))
DAILY = Reminder("daily", PLAN, "report", b"body", "application/msgpack", NOW_MS)

reminders = st.builds(
    Reminder,
    st.text(min_size=1, max_size=9),
    st.builds(
        Plan,
        st.one_of(
            st.builds(Every, st.integers(1_000, 10**10), st.integers(1, NOW_MS)),
            st.builds(At, st.integers(1, 2 * NOW_MS)),
            st.just(Cron("*/10 * * * *", "Europe/Berlin")),
        ),
        st.sampled_from(Missed),
        st.integers(0, NOW_MS),
    ),
    st.text(min_size=1, max_size=5),
    st.binary(max_size=9),
    st.just("application/json"),
    st.integers(1, 2 * NOW_MS),
    st.integers(0, MADE_UP_MAX - 1),
)
lateness = st.integers(-1_500, 10**11)


@given(reminders)
def test_it_comes_back_as_it_was(reminder: Reminder) -> None:
    assert unpack(reminder.pack()) == reminder


@pytest.mark.parametrize("data", [b"", b"\xc0", codec.encode([2, "daily"]), codec.encode([1, "daily"])])
def test_what_is_none_of_this_release_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        unpack(data)


def test_a_rhythm_of_a_later_release_is_refused() -> None:
    fields = [1, "n", ["lunar", 1], "once", 0, "m", b"", "application/msgpack", 5, 0]
    with pytest.raises(UndecodableError, match="lunar"):
        unpack(codec.encode(fields))


@given(reminders, lateness)
def test_whatever_comes_of_a_tick_the_next_one_is_later(reminder: Reminder, late_ms: int) -> None:
    after = judge(reminder, reminder.due_ms + late_ms).after
    assert after is None or after.due_ms > reminder.due_ms
    assert after is None or after.key != reminder.key


@given(reminders, lateness)
def test_only_what_is_made_up_for_is_due_in_the_past(reminder: Reminder, late_ms: int) -> None:
    now_ms = reminder.due_ms + late_ms
    ticked = judge(reminder, now_ms)
    if ticked.after is not None and ticked.after.due_ms <= now_ms:
        assert (reminder.plan.missed, ticked.runs) == (Missed.ALL, True)


@given(reminders, st.integers(-1_500, LATE_MS_MAX))
def test_what_comes_in_time_runs_whatever_the_policy(reminder: Reminder, late_ms: int) -> None:
    assert judge(reminder, reminder.due_ms + late_ms).runs


def outage(missed: Missed, minutes: int) -> tuple[int, Reminder]:
    """Return how many ticks ran for an outage of so many minutes, and the reminder after that."""
    reminder, now_ms, ran = replace(DAILY, plan=replace(PLAN, missed=missed)), NOW_MS + minutes * MINUTE_MS, 0
    while reminder.due_ms <= now_ms:
        ticked = judge(reminder, now_ms)
        ran += ticked.runs
        assert ticked.after is not None
        reminder = ticked.after
    return ran, reminder


@pytest.mark.parametrize(
    ("missed", "minutes", "ran"),
    [
        (Missed.ONCE, 90, 1),
        (Missed.SKIP, 90, 0),
        (Missed.ALL, 90, 91),
        (Missed.ALL, 10 * MADE_UP_MAX, MADE_UP_MAX),
        (Missed.ALL, 0, 1),
        (Missed.SKIP, 1, 1),
    ],
)
def test_after_an_outage_as_many_run_as_the_policy_says(missed: Missed, minutes: int, ran: int) -> None:
    found, after = outage(missed, minutes)
    assert found == ran
    assert (after.due_ms, after.made_up) == (NOW_MS + (minutes + 1) * MINUTE_MS, 0)


def test_one_moment_has_no_next() -> None:
    once = replace(DAILY, plan=Plan(At(NOW_MS)))
    assert judge(once, NOW_MS).after is None


def test_only_the_tick_it_waits_for_counts() -> None:
    tick = from_wire(DAILY.tick(ADDRESS, NOW_MS).message)
    assert DAILY.awaits(tick)
    assert not replace(DAILY, due_ms=NOW_MS + 1).awaits(tick), "it waits for a later one"
    assert not replace(DAILY, body=b"other").awaits(tick), "it was replaced"
    assert not replace(DAILY, method="other").awaits(tick)


def test_a_tick_is_an_envelope_with_the_name_and_the_time_for_a_key() -> None:
    item = DAILY.tick(ADDRESS, NOW_MS - 5_000)
    tick = from_wire(item.message)
    assert (item.destination, item.due_ms, item.target) == (Destination.DELAY, NOW_MS, "")
    assert (tick.address, tick.method, tick.body, tick.reminder) == (ADDRESS, "report", b"body", "daily")
    assert tick.key == f"remind:daily@{NOW_MS}"
    assert DAILY.tick(ADDRESS, NOW_MS).destination is Destination.MAILBOX, "it is due"


def test_the_next_attempt_of_a_tick_is_no_tick() -> None:
    tick = from_wire(DAILY.tick(ADDRESS, NOW_MS).message)
    assert (tick.again(2, "").reminder, tick.again(2, "").key) == ("", tick.key)


def test_a_tick_that_is_redriven_runs_whatever_its_reminder_waits_for() -> None:
    tick = from_wire(DAILY.tick(ADDRESS, NOW_MS).message)
    error = describe(ValueError("no"))
    letter = dead.of_envelope(tick, dead.Reason.FAILED, error, origin="actors.Shop.g1.0", now_ms=NOW_MS)
    redriven = dead.redriven(dead.read(letter.message))
    assert (redriven.reminder, redriven.method, redriven.key[:8]) == ("", "report", "redrive:")


def test_the_same_words_are_the_same_reminder() -> None:
    declared_later = replace(DAILY, plan=Plan(Every(MINUTE_MS, NOW_MS + 7)), due_ms=NOW_MS + 7, made_up=3)
    assert DAILY.is_like(declared_later)
    assert not DAILY.is_like(replace(DAILY, body=b"other"))
    assert not DAILY.is_like(replace(DAILY, plan=Plan(Every(MINUTE_MS + 1, NOW_MS))))
    assert not DAILY.is_like(replace(DAILY, plan=replace(PLAN, missed=Missed.SKIP)))
    started = replace(DAILY, plan=Plan(Every(MINUTE_MS, 5), start_ms=5))
    assert not started.is_like(replace(DAILY, plan=Plan(Every(MINUTE_MS, 6), start_ms=6)))


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="name"):
        check_name(name)


def test_arguments_that_are_too_large_are_refused() -> None:
    with pytest.raises(PayloadTooLargeError, match="state"):
        check_body("daily", bytes(BODY_BYTES_MAX + 1))
    assert check_body("daily", b"x") == b"x"


@given(st.text(min_size=1))
def test_people_name_it_by_an_id(name: str) -> None:
    assert name_in(id_of(name)) == name
    assert name_in("d:1") == ""
