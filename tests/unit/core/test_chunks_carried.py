"""What comes with a signal, from whoever may write there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.chunks import Chunk, Kind, carried

CHUNKS = st.builds(Chunk, st.sampled_from(Kind), st.binary(), st.sampled_from(["", "application/json"]))


@given(st.integers(min_value=1), CHUNKS)
def test_a_chunk_that_goes_along_arrives_with_its_number(seq: int, chunk: Chunk) -> None:
    assert carried(b"%d:" % seq + chunk.pack()) == (seq, chunk)


@given(st.one_of(st.binary(), st.binary().map(lambda data: b"7:" + data)))
def test_what_is_no_chunk_is_a_signal_all_the_same(data: bytes) -> None:
    found = carried(data)
    assert found is None or found[1].pack() == data.partition(b":")[2]


def test_nothing_comes_with_most_signals() -> None:
    assert carried(b"") is None
