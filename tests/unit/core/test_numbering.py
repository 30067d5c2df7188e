"""How a sender numbers its envelopes."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.address import Address
from broker_actors.core.numbering import Numbering

ADDRESSES = [Address("Counter", str(n)) for n in range(3)]
steps = st.lists(st.tuples(st.sampled_from(ADDRESSES), st.none() | st.integers(0, 8)))


@given(steps)
def test_numbers_are_dense_and_low_is_the_lowest_still_awaited(
    steps: list[tuple[Address, int | None]],
) -> None:
    numbering = Numbering()
    taken: dict[Address, int] = {}
    awaited: dict[Address, set[int]] = {address: set() for address in ADDRESSES}
    for address, settled in steps:
        if settled is not None:
            numbering.settle(address, settled)
            awaited[address].discard(settled)
            continue
        number, low = numbering.take(address)
        taken[address] = taken.get(address, 0) + 1
        awaited[address].add(number)
        assert number == taken[address]
        assert low == min(awaited[address])
    assert len(numbering) == len(taken)


def test_one_that_is_awaited_for_long_keeps_none_of_those_after_it() -> None:
    numbering = Numbering()
    first, _ = numbering.take(ADDRESSES[0])
    tracemalloc.start()
    try:
        for _ in range(20_000):
            numbering.settle(ADDRESSES[0], numbering.take(ADDRESSES[0])[0])
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 20_000
    assert numbering.take(ADDRESSES[0]) == (20_002, first)
    numbering.settle(ADDRESSES[0], first)
    assert numbering.take(ADDRESSES[0]) == (20_003, 20_002)


def test_numbers_go_on_after_everything_is_settled() -> None:
    numbering = Numbering()
    numbering.take(ADDRESSES[0])
    numbering.settle(ADDRESSES[0], 1)
    assert numbering.take(ADDRESSES[0]) == (2, 2)
