"""What is packed as a list of numbers is read as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import codec, packed_numbers


@given(st.lists(st.integers(min_value=-(2**63), max_value=2**64 - 1)))
def test_what_is_packed_is_read_and_is_what_any_list_is_encoded_to(numbers: list[int]) -> None:
    packed = packed_numbers.pack(numbers)
    assert codec.decode(packed) == numbers
    assert packed == codec.encode(numbers)


def test_a_number_that_no_other_language_could_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="64 bits"):
        packed_numbers.pack([1, 2**64])
