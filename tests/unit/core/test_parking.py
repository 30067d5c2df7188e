"""Entries of parkings as bytes, and how much may be parked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import codec
from broker_actors.core.address import Address
from broker_actors.core.dead import Reason, of_envelope
from broker_actors.core.dead import read as read_letter
from broker_actors.core.envelope import Envelope, from_wire
from broker_actors.core.errors import UndecodableError
from broker_actors.core.outgoing import Destination
from broker_actors.core.outgoing import pack as pack_outgoing
from broker_actors.core.parking import (
    ACTOR_BYTES_MAX,
    TOTAL_BYTES_MAX,
    WAKE,
    Parked,
    Unreadable,
    has_room,
    pack,
    read,
    stand_in,
    unpack,
    unreadable,
    wake_of,
)
from broker_actors.core.wire import BODY_BYTES_MAX
from tests.unit.core.strategies import envelopes

NOW_MS = 1_700_000_000_000
sizes = st.integers(0, 2 * TOTAL_BYTES_MAX)


@given(envelopes, st.text(max_size=20), st.integers(0, 2**53))
def test_an_entry_holds_all_there_is_of_its_envelope(
    envelope: Envelope, message_id: str, due_ms: int
) -> None:
    parked = Parked(replace(envelope, message_id=message_id), due_ms)
    assert unpack(pack(parked)) == parked


@given(st.binary(max_size=200))
def test_whatever_else_is_no_entry(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        unpack(data)


@pytest.mark.parametrize(
    "value", [[], [1, "m"], [True, "m", b""], ["1", "m", b""], [1, b"m", b""], [1, "m", b""]]
)
def test_other_fields_are_no_entry(value: object) -> None:
    with pytest.raises(UndecodableError):
        unpack(codec.encode(value))


@given(st.binary(max_size=200))
def test_what_nobody_can_read_is_kept_as_it_is(data: bytes) -> None:
    entry = read(data)
    assert isinstance(entry, Unreadable)
    assert entry.data == data
    error = unreadable(entry, Address("Counter", "c1"))
    assert "Counter/c1" in error.message
    assert entry.why in error.message


def test_what_stands_for_an_entry_nobody_can_read_fits_a_dead_letter() -> None:
    address, data = Address("Counter", "c1"), b"\xc1" * 3 * BODY_BYTES_MAX
    entry = Unreadable(data, "broken")
    envelope = stand_in(entry, address, "token")
    letter = of_envelope(envelope, Reason.UNDECODABLE, unreadable(entry, address), origin="m", now_ms=NOW_MS)
    assert pack_outgoing(letter)
    kept = read_letter(letter.message).message.body
    assert kept == data[: len(kept)]
    assert len(kept) > BODY_BYTES_MAX


@given(envelopes)
def test_an_entry_is_read_as_what_was_parked(envelope: Envelope) -> None:
    assert read(pack(Parked(envelope))) == unpack(pack(Parked(envelope)))


@given(sizes, sizes, sizes)
def test_nothing_is_parked_beyond_either_bound(entry: int, actor: int, total: int) -> None:
    assert has_room(entry, actor, total) == (
        entry <= ACTOR_BYTES_MAX - actor and entry <= TOTAL_BYTES_MAX - total
    )


def test_whoever_wakes_an_actor_calls_no_method_of_it() -> None:
    item = wake_of(Address("Counter", "c1"), NOW_MS)
    envelope = from_wire(item.message)
    assert item.destination is Destination.MAILBOX
    assert (envelope.address, envelope.method, envelope.key, envelope.seq) == (
        Address("Counter", "c1"),
        WAKE,
        "",
        0,
    )
