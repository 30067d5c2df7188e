"""The set of accepted numbers, held to Python's own sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.dedup import HOLES_MAX, Accepted
from broker_actors.core.errors import UndecodableError

NUMBERS = st.lists(st.integers(1, 60), max_size=80)


def accepted(numbers: list[int]) -> Accepted:
    found = Accepted()
    for number in numbers:
        more = found.plus(number)
        assert more is not None
        found = more
    return found


@given(NUMBERS)
def test_it_is_the_set_of_what_was_accepted(numbers: list[int]) -> None:
    found = accepted(numbers)
    assert [number in found for number in range(1, 62)] == [number in set(numbers) for number in range(1, 62)]


@given(NUMBERS)
def test_the_order_of_acceptance_makes_no_difference(numbers: list[int]) -> None:
    assert accepted(numbers) == accepted(sorted(numbers))


@given(NUMBERS)
def test_holes_are_in_order_apart_and_below_the_highest(numbers: list[int]) -> None:
    found = accepted(numbers)
    ends = [end for hole in found.holes for end in hole]
    assert ends == sorted(ends)
    assert all(last + 1 < first for (_, last), (first, _) in zip(found.holes, found.holes[1:], strict=False))
    assert not ends or ends[-1] < found.high


@given(NUMBERS, st.integers(1, 2**62), st.integers(0, 2**62))
def test_what_is_packed_is_unpacked(numbers: list[int], low: int, last_ms: int) -> None:
    found = accepted(numbers)
    found = Accepted(found.high, found.holes, low, last_ms)
    assert Accepted.unpack(found.pack()) == found


@given(NUMBERS, st.integers(1, 62), st.integers(1, 2**62), st.integers(0, 2**62))
def test_what_is_heard_is_one_more_number_and_when_it_came(
    numbers: list[int], number: int, low: int, last_ms: int
) -> None:
    before = accepted(numbers)
    assert before.heard(number, low, last_ms) == Accepted(
        *(accepted([*numbers, number]).high, accepted([*numbers, number]).holes, low, last_ms)
    )


def test_what_is_heard_must_have_room_too() -> None:
    full = Accepted(2 * HOLES_MAX, tuple((n, n) for n in range(1, 2 * HOLES_MAX, 2)))
    assert full.heard(2 * HOLES_MAX + 2, 1, 0) is None
    assert full.heard(2 * HOLES_MAX + 1, 1, 0) is not None


def test_a_number_accepted_twice_changes_nothing() -> None:
    once = accepted([1, 3])
    assert once.plus(3) is once


def test_a_high_water_mark_alone_would_lose_what_was_refused_in_the_middle() -> None:
    found = accepted([1, 2, 4])
    assert 3 not in found
    assert accepted([1, 2, 4, 3]) == accepted([1, 2, 3, 4])


def test_a_day_of_numbers_takes_a_few_bytes() -> None:
    assert len(Accepted(high=86_400_000, low=86_399_990, last_ms=1_790_000_000_000).pack()) <= 20


def test_more_holes_than_can_be_remembered_are_refused_and_filling_one_is_not() -> None:
    found = accepted(list(range(2, 2 * HOLES_MAX + 2, 2)))
    assert len(found.holes) == HOLES_MAX
    assert found.plus(found.high + 2) is None
    assert found.plus(found.high + 1) is not None
    assert found.plus(1) is not None


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01\x02\xa1x", b"\x94\x01\x01\x00\x01", b"\x80"])
def test_what_is_no_set_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        Accepted.unpack(data)
