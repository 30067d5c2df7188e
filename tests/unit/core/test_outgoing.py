"""What a turn sends, as it lies in the outbox."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import codec, dead, topology
from broker_actors.core.address import Address
from broker_actors.core.dead import Reason
from broker_actors.core.envelope import Envelope, from_wire, to_wire
from broker_actors.core.errors import ErrorRecord, PayloadTooLargeError, UndecodableError
from broker_actors.core.outgoing import Destination, Outgoing, mark, pack, unpack
from broker_actors.core.topology import Layout, Route
from broker_actors.core.wire import BODY_BYTES_MAX, WireMessage
from tests.unit.core import strategies as some

items = st.builds(
    Outgoing, st.sampled_from(Destination), some.envelopes.map(to_wire), due_ms=st.just(0) | some.numbers
)
TELL = WireMessage({"ba-type": "Counter", "ba-id": "c1"}, type="increment")


@given(items)
def test_an_item_comes_back_as_it_was_packed(item: Outgoing) -> None:
    assert unpack(pack(item)) == item


@given(some.envelopes, some.errors)
def test_a_dead_letter_comes_back_as_it_was_packed(envelope: Envelope, error: ErrorRecord) -> None:
    item = dead.of_envelope(envelope, Reason.FAILED, error, origin="actors.Counter.g1.3", now_ms=5)
    assert unpack(pack(item)) == item


def test_the_largest_envelope_fits_with_its_dead_letter() -> None:
    longest = ErrorRecord("SystemFaultError", "E" * 8_000, "m" * 8_000, traceback="\U0001f600" * 8_000)
    address = Address("T" * 64, "x" * 170)
    envelope = Envelope(address, "m" * 128, bytes(BODY_BYTES_MAX), tracestate="x" * 16_384)
    item = dead.of_envelope(envelope, Reason.FAILED, longest, origin="", now_ms=0)
    assert unpack(pack(item)) == item


def test_more_than_that_is_refused() -> None:
    with pytest.raises(PayloadTooLargeError, match="outgoing message"):
        pack(Outgoing(Destination.MAILBOX, replace(TELL, body=bytes(2 * BODY_BYTES_MAX))))


@given(st.binary(max_size=40) | some.plain_values.map(codec.encode))
def test_anything_else_in_an_outbox_is_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        unpack(data)


@given(st.data())
def test_an_item_with_one_field_of_another_kind_is_undecodable(data: st.DataObject) -> None:
    fields = codec.decode(pack(Outgoing(Destination.DELAY, TELL, 5)))
    assert isinstance(fields, list)
    place = data.draw(st.integers(0, len(fields) - 1))
    wrong = data.draw(some.plain_values.filter(lambda value: type(value) is not type(fields[place])))
    fields[place] = {1: 2} if place == 2 else wrong
    with pytest.raises(UndecodableError, match="not an outgoing message"):
        unpack(codec.encode(fields))


@pytest.mark.parametrize("place", [1, 8])
def test_a_boolean_is_no_time(place: int) -> None:
    fields = codec.decode(pack(Outgoing(Destination.DELAY, TELL, 5)))
    assert isinstance(fields, list)
    fields[place] = True
    with pytest.raises(UndecodableError, match="not an outgoing message"):
        unpack(codec.encode(fields))


@pytest.mark.parametrize("destination", ["", "mailboxes", "MAILBOX"])
def test_an_unknown_destination_is_undecodable(destination: str) -> None:
    fields = codec.decode(pack(Outgoing(Destination.DELAY, TELL, 5)))
    assert isinstance(fields, list)
    with pytest.raises(UndecodableError):
        unpack(codec.encode([destination, *fields[1:]]))


def test_a_tell_goes_to_its_mailbox() -> None:
    layout = Layout("Counter", 2, 8)
    route = Outgoing(Destination.MAILBOX, TELL).route(layout, 0)
    assert route == layout.route_to(Address("Counter", "c1")) == Route("actors", "Counter.g2.1")


def test_without_a_layout_there_is_no_mailbox() -> None:
    with pytest.raises(UndecodableError, match="no layout for actor type Counter"):
        Outgoing(Destination.MAILBOX, TELL).route(None, 0)


def test_a_delayed_tell_waits_in_the_longest_level_that_ends_in_time() -> None:
    item = Outgoing(Destination.DELAY, TELL, due_ms=10_000)
    assert item.route(None, 0) == topology.delay_route(8)
    assert item.route(None, 4_500) == topology.delay_route(4)
    assert item.route(None, 9_000) == topology.delay_route(1)


def test_a_delayed_tell_waits_with_the_relay_for_the_last_of_its_time() -> None:
    item = Outgoing(Destination.DELAY, TELL, due_ms=10_000)
    assert item.route(None, 9_001) == item.route(None, 99_000) == Route(topology.DUE, "due")


def test_a_dead_letter_goes_to_the_type_whose_mailbox_it_came_from() -> None:
    unreadable = WireMessage({"ba-type": 5, "ba-id": None})
    item = dead.of_message(unreadable, ErrorRecord("", "", ""), actor_type="Counter", origin="", now_ms=0)
    assert item.actor_type == "Counter"
    assert item.route(None, 0) == Route("actors.dead", "Counter")


@pytest.mark.parametrize("actor_type", ["", "x" * 300, "no type", topology.BROKER_KEY])
def test_a_dead_letter_of_no_type_goes_beside_the_brokers_own(actor_type: str) -> None:
    unreadable = WireMessage({"ba-type": 5})
    item = dead.of_message(unreadable, ErrorRecord("", "", ""), actor_type=actor_type, origin="", now_ms=0)
    assert item.route(None, 0) == Route("actors.dead", topology.BROKER_KEY)


@given(incarnation=st.from_regex(r"[0-9a-f]{1,32}", fullmatch=True), seq=st.integers(1, 10**18))
def test_a_mark_numbers_an_item_and_leaves_the_rest_of_it(incarnation: str, seq: int) -> None:
    envelope = Envelope(Address("Back", "b:1"), "note", b"1:2:3:", sender="Front/f1")
    item = Outgoing(Destination.MAILBOX, to_wire(envelope))
    found = unpack(mark(incarnation, seq) + pack(item))
    assert (found.sender, found.seq, found.target) == (f"Front/f1#{incarnation}", seq, "Back/b:1")
    read = from_wire(found.with_low(3).message)
    assert read == replace(envelope, sender=f"Front/f1#{incarnation}", seq=seq, low=3)


def test_an_item_without_a_mark_has_no_number() -> None:
    item = Outgoing(Destination.MAILBOX, to_wire(Envelope(Address("Back", "b1"), "note", key="k")))
    assert unpack(pack(item)) == item == item.marked(b"")
    assert (item.sender, item.seq) == ("", 0)


@pytest.mark.parametrize("by", [b"x:1:", b"a1:0:", b"a1:1", b":1:", b"a1:01:", b"a1:1:more"])
def test_what_is_no_mark_is_undecodable(by: bytes) -> None:
    item = Outgoing(Destination.MAILBOX, to_wire(Envelope(Address("Back", "b1"), "note")))
    with pytest.raises(UndecodableError):
        item.marked(by)
