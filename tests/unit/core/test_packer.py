"""What is packed without being read again is what the codec would have written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import codec, packer
from broker_actors.core.dedup import Accepted


@given(st.lists(st.integers(codec.INTEGER_MIN, codec.INTEGER_MAX)))
def test_numbers_are_packed_as_the_codec_encodes_them_and_read_again(numbers: list[int]) -> None:
    packed = packer.pack(numbers)
    assert packed == codec.encode(numbers)
    assert codec.decode(packed) == numbers


def test_a_number_that_no_other_language_could_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="64 bits"):
        Accepted(2**64).pack()
