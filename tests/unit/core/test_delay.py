"""Delay levels: a simulation of what the broker does with their patterns."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker_actors.core.delay import DELAY_SECONDS_MAX, LEVELS, entry, passes_by, stretch_seconds, waits_here

delays = st.integers(1, DELAY_SECONDS_MAX)


def _matches(pattern: str, key: str) -> bool:
    """Whether a topic exchange routes *key* to *pattern*: `*` is one word, `#` any number of them."""
    words = [{"*": r"[^.]+", "#": r".*"}.get(word, re.escape(word)) for word in pattern.split(".")]
    expression = r"\.".join(words).replace(r"\..*", r"(\..*)?")
    return re.fullmatch(expression, key) is not None


def _waited_seconds(level: int, key: str) -> int:
    waited = 0
    for at in range(level, -1, -1):
        waits, passes = _matches(waits_here(at), key), _matches(passes_by(at), key)
        assert waits != passes, "a message takes exactly one way at each level"
        waited += 2**at if waits else 0
    return waited


@given(delays)
@example(1)
@example(2**27)
@example(DELAY_SECONDS_MAX)
def test_a_message_waits_exactly_its_delay_on_its_way_down(delay_seconds: int) -> None:
    assert _waited_seconds(*entry(delay_seconds)) == delay_seconds


@given(delays)
def test_a_message_enters_at_the_first_level_it_waits_at(delay_seconds: int) -> None:
    level, key = entry(delay_seconds)
    assert 2**level <= delay_seconds < 2 ** (level + 1)
    assert _matches(waits_here(level), key)


@given(delays)
def test_a_key_is_28_bits_and_the_end(delay_seconds: int) -> None:
    _, key = entry(delay_seconds)
    *bits, end = key.split(".")
    assert int("".join(bits), 2) == delay_seconds
    assert len(bits) == LEVELS == 28
    assert end == "due"


@pytest.mark.parametrize("level", range(LEVELS))
def test_a_pattern_ends_in_its_only_hash_so_that_longer_keys_still_match(level: int) -> None:
    for pattern in (waits_here(level), passes_by(level)):
        assert pattern.count("#") == 1
        assert pattern.endswith(".#")
        assert pattern.count("*") == LEVELS - 1 - level


@given(st.integers(-(2**70), 2**70), st.integers(0, 2**63))
@example(1_000, 0)
@example(999, 0)
@example(-1, 0)
def test_a_message_never_waits_longer_than_what_is_left_and_more_than_half_of_it(
    left_ms: int, now_ms: int
) -> None:
    seconds = stretch_seconds(now_ms + left_ms, now_ms)
    assert (seconds == 0) == (left_ms < 1000)
    assert 1000 * seconds <= max(0, left_ms)
    if 1000 <= left_ms <= 1000 * DELAY_SECONDS_MAX:
        assert 2000 * seconds > left_ms


@given(st.integers(0, 1000 * DELAY_SECONDS_MAX))
def test_a_message_waits_in_one_level_at_a_time(left_ms: int) -> None:
    hops = 0
    while seconds := stretch_seconds(left_ms, 0):
        level, key = entry(seconds)
        assert _waited_seconds(level, key) == seconds == 2**level
        assert sum(_matches(waits_here(below), key) for below in range(level + 1)) == 1
        left_ms -= 1000 * seconds
        hops += 1
    assert 0 <= left_ms < 1000
    assert hops <= LEVELS
