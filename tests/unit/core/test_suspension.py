from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import codec
from broker_actors.core.suspension import ERROR_CHARACTERS_MAX, Cause, Suspension, unpack
from tests.unit.core import strategies as some


@given(st.sampled_from(Cause) | st.text(max_size=20), some.short_texts, st.integers(0, 2**53))
def test_what_is_packed_is_unpacked(cause: str, error: str, since_ms: int) -> None:
    suspension = Suspension(cause, error, since_ms)
    assert unpack(suspension.pack()) == suspension


@given(some.wild_texts)
def test_an_error_that_cannot_be_sent_is_kept_as_far_as_it_can(error: str) -> None:
    kept = unpack(Suspension(Cause.FAULTS, error * 100, 1).pack()).error
    assert len(kept) == min(len(error) * 100, ERROR_CHARACTERS_MAX)


@pytest.mark.parametrize("data", [b"", b"\xc1", codec.encode([1]), codec.encode({"c": 1, "e": "", "t": 1})])
def test_a_suspension_nobody_can_read_is_one_all_the_same(data: bytes) -> None:
    assert unpack(data) == Suspension("unknown", "what the store holds of the suspension cannot be read", 0)
