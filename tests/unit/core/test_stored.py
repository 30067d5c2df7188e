"""A state of scalars is packed in short, and is what it is when it is packed with all care."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker_actors.core import codec, stored
from broker_actors.core.errors import PlatformError
from broker_actors.core.stored import Stored
from tests.unit.core import strategies as some

_WHATEVER = st.integers(-(2**66), 2**66) | st.floats(allow_nan=False) | some.wild_texts | st.binary()
_SCALARS = st.none() | st.booleans() | _WHATEVER


def packed_with_care(values: dict[str, object], version: int) -> bytes | None:
    try:
        return stored.pack(values, version, simplify=codec.refuse, what="state")
    except (TypeError, PlatformError):
        return None


@given(st.dictionaries(some.wild_texts, _SCALARS), st.integers(1, stored.STATE_VERSION_MAX))
@example({"count": 5}, 1)
@example({"count": 2**64 - 1}, 2)
@example({"count": 2**64}, 1)
@example({"count": -(2**63) - 1}, 2)
@example({"note": "\ud800"}, 1)
@example({"\ud800": 1}, 1)
@example({"note": "x" * codec.BODY_BYTES_MAX}, 1)
def test_scalars_are_packed_as_they_are_with_all_care_and_read_again(
    values: dict[str, object], version: int
) -> None:
    data = stored.pack_scalars(values, version)
    assert data == packed_with_care(values, version)
    if data is not None:
        found = stored.unpack(data)
        assert isinstance(found, Stored)
        assert (found.version, found.values) == (version, values)


@pytest.mark.parametrize("count", [stored.SCALARS_BYTES_MAX - 100, stored.SCALARS_BYTES_MAX])
def test_what_may_be_too_much_to_be_read_again_is_left_to_those_who_look(count: int) -> None:
    data = stored.pack_scalars({"note": "x" * count}, 1)
    assert (data is None) == (count == stored.SCALARS_BYTES_MAX)
