"""Dead letters: nothing is dropped, and nothing is two things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pamqp.common import FieldTable
from pamqp.encode import field_table

from broker_actors.core import dead, history
from broker_actors.core.address import Address
from broker_actors.core.dead import FOREIGN_HEADERS_BYTES_MAX, DeadLetter, Reason
from broker_actors.core.envelope import Envelope, from_wire, to_wire
from broker_actors.core.errors import ErrorRecord, UndecodableError
from broker_actors.core.wire import WireMessage
from tests.unit.core import strategies as some

C1 = Address("Counter", "c1")
BOOM = ErrorRecord("SystemFaultError", "ValueError", "boom", traceback="a traceback")
TELL = Envelope(C1, "increment", b"\x80", sender="s", seq=5)
#: What the transport sends, which leaves a frame room for the properties.
HEADERS_BYTES_MAX = 120_000
DELIVERY_LIMIT_DEATH = {
    "count": 1,
    "reason": "delivery_limit",
    "queue": "actors.Counter.g1.3",
    "time": datetime(2026, 1, 1, tzinfo=UTC),
    "exchange": "actors",
    "routing-keys": ["Counter.g1.3"],
}


def buried(envelope: Envelope, error: ErrorRecord = BOOM, reason: Reason = Reason.FAILED) -> DeadLetter:
    item = dead.of_envelope(envelope, reason, error, origin="actors.Counter.g1.3", now_ms=1_000)
    return dead.read(item.message)


def unreadable(message: WireMessage, error: ErrorRecord = BOOM, actor_type: str = "Counter") -> DeadLetter:
    item = dead.of_message(message, error, actor_type=actor_type, origin="actors.Counter.g1.3", now_ms=1_000)
    return dead.read(item.message)


def test_a_letter_says_why_what_when_and_whence() -> None:
    letter = buried(replace(TELL, attempt=3), reason=Reason.REJECTED)
    assert (letter.reason, letter.error, letter.traceback) == ("rejected", "ValueError: boom", "a traceback")
    assert (letter.origin, letter.died_ms) == ("actors.Counter.g1.3", 1_000)
    assert history.read(letter.history) == [{"attempt": 3, "at_ms": 1_000, "error": "ValueError: boom"}]
    assert dead.address_of(letter) == C1


@given(some.envelopes, some.errors)
def test_a_letter_holds_the_envelope_as_it_was(envelope: Envelope, error: ErrorRecord) -> None:
    letter = buried(envelope, error)
    kept = replace(from_wire(letter.message), history=envelope.history, message_id=envelope.message_id)
    assert kept == envelope


# --- the id ---------------------------------------------------------------------


@given(some.envelopes, st.sampled_from(Reason), st.integers(0, 2**40))
def test_copies_of_one_letter_have_one_id(envelope: Envelope, reason: Reason, now_ms: int) -> None:
    first = dead.of_envelope(envelope, reason, BOOM, origin="a", now_ms=0)
    again = dead.of_envelope(envelope, Reason.FAILED, replace(BOOM, message="b"), origin="c", now_ms=now_ms)
    assert dead.read(first.message).id == dead.read(again.message).id


@pytest.mark.parametrize(
    "other",
    [
        replace(TELL, seq=6),
        replace(TELL, sender="t"),
        replace(TELL, address=Address("Counter", "c2")),
        replace(TELL, address=Address("Counters", "c1")),
        replace(TELL, key="order-42"),
        Envelope(C1, "increment", b"\x80", message_id="m"),
        Envelope(C1, "increment", b"\x81", message_id="m"),
        Envelope(C1, "increment", b"\x81"),
        Envelope(C1, "decrement", b"\x81"),
    ],
    ids=range(9),
)
def test_different_messages_are_different_letters(other: Envelope) -> None:
    assert buried(other).id != buried(TELL).id


def test_a_conflicting_envelope_is_not_the_letter_of_the_one_it_conflicts_with() -> None:
    keyed = replace(TELL, key="order-42")
    assert buried(replace(keyed, body=b"another")).id != buried(keyed).id


def test_the_id_of_an_unreadable_message_does_not_change_with_its_deliveries() -> None:
    message = WireMessage({"ba-type": "Counter", "note": [1, {"a": None}]}, b"x", type="increment")
    broker_added = {"x-delivery-count": 2, "x-acquired-count": 3, "x-death": [DELIVERY_LIMIT_DEATH]}
    again = replace(message, headers={**broker_added, **dict(reversed(list(message.headers.items())))})
    assert unreadable(message).id == unreadable(again).id


UNREADABLE = WireMessage({"ba-type": "Counter", "ba-id": 5}, b"x", type="increment")


@pytest.mark.parametrize(
    "other",
    [
        replace(UNREADABLE, body=b"y"),
        replace(UNREADABLE, type="decrement"),
        replace(UNREADABLE, message_id="m"),
        replace(UNREADABLE, headers={"ba-type": "Counter", "ba-id": 6}),
        replace(UNREADABLE, headers={"ba-type": "Counter", "ba-id": "5"}),
        replace(UNREADABLE, headers={"ba-type": "Counter", "ba-id": 5, "x-mine": 1}),
    ],
    ids=range(6),
)
def test_different_unreadable_messages_are_different_letters(other: WireMessage) -> None:
    assert unreadable(other).id != unreadable(UNREADABLE).id


def test_a_letter_that_is_buried_again_is_still_the_same_letter() -> None:
    first = dead.of_message(UNREADABLE, BOOM, actor_type="Counter", origin="here", now_ms=1)
    again = dead.of_message(first.message, BOOM, actor_type="by-broker", origin="there", now_ms=2)
    assert dead.read(first.message).id == dead.read(again.message).id


def test_an_enormous_body_gets_an_id_too() -> None:
    assert len(unreadable(WireMessage(body=bytes(50_000_000))).id) == 24


# --- what nobody could read -------------------------------------------------------


@given(some.rubbish_messages)
def test_any_message_can_be_buried_read_and_its_destination_is_known(message: WireMessage) -> None:
    item = dead.of_message(message, BOOM, actor_type="Counter", origin="here", now_ms=5)
    assert item.actor_type == "Counter"
    letter = dead.read(item.message)
    assert (letter.reason, letter.error, letter.origin, letter.died_ms) == (
        "undecodable",
        "ValueError: boom",
        "here",
        5,
    )
    assert letter.message.body == message.body
    dead.address_of(letter)


@given(some.rubbish_messages)
def test_any_message_in_a_dead_letter_queue_can_be_shown(message: WireMessage) -> None:
    letter = dead.read(message)
    assert letter.id
    assert letter.reason
    dead.address_of(letter)
    try:
        from_wire(to_wire(dead.redriven(letter)))
    except UndecodableError:
        return


def test_an_unreadable_message_is_kept_with_its_own_headers() -> None:
    headers = {"ba-type": "Counter", "ba-id": 5, "note": "mine", "x-mine": True, "x-bytes": b"\xff"}
    letter = unreadable(WireMessage(headers, b"\xff", "image/png", "paint", "c", "r", 7))
    assert letter.message == WireMessage(headers, b"\xff", "image/png", "paint", "c", "r", 7)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1e300, "1e+300"),
        (Decimal(2**32 - 1), "Decimal('4294967295')"),
        (2**63, "9223372036854775808"),
        (None, "None"),
        ([1, "a"], "[1, 'a']"),
        ({"a": 1.5}, "{'a': 1.5}"),
        ("\ud800", "\\ud800"),
    ],
    ids=["double", "decimal", "unsigned", "nothing", "list", "table", "surrogate"],
)
def test_a_header_that_may_not_be_written_again_is_kept_as_text(value: object, shown: str) -> None:
    assert unreadable(WireMessage({"x-mine": value})).message.headers["x-mine"] == shown


@pytest.mark.parametrize("value", [1.5, None, [1], ["c1"], {"a": 1}])
@pytest.mark.parametrize("name", ["ba-id", "ba-type", "ba-version"])
def test_an_unreadable_header_of_ours_is_not_readable_in_its_letter(name: str, value: object) -> None:
    message = WireMessage({"ba-type": "Counter", "ba-id": "c1", name: value}, type="increment")
    with pytest.raises(UndecodableError):
        dead.redriven(unreadable(message))


@given(some.rubbish_messages)
def test_every_letter_of_an_unreadable_message_can_be_written(message: WireMessage) -> None:
    item = dead.of_message(message, BOOM, actor_type="Counter", origin="here", now_ms=5)
    assert _size_bytes(item.message.headers) < HEADERS_BYTES_MAX


@given(some.rubbish_messages)
def test_an_unreadable_message_that_is_buried_again_is_still_the_same_letter(message: WireMessage) -> None:
    first = dead.of_message(message, BOOM, actor_type="Counter", origin="here", now_ms=1)
    # What has a name too long to be sent is in the first id only.
    assume(all(len(name.encode()) <= dead.NAME_BYTES_MAX for name in message.headers))
    again = dead.of_message(first.message, BOOM, actor_type="Counter", origin="there", now_ms=2)
    assert dead.read(first.message).id == dead.read(again.message).id


def test_a_value_too_deep_to_show_is_kept_by_its_kind() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    letter = unreadable(WireMessage({"x-mine": deep}))
    assert letter.message.headers["x-mine"] == "<list, too deep to show>"


def test_a_bare_letter_has_the_body_and_what_the_letter_says() -> None:
    message = WireMessage({"ba-id": 5, "x-mine": 1}, b"\xff", "image/png", "paint", "c", "r", 7)
    item = dead.of_message(message, BOOM, actor_type="Counter", origin="here", now_ms=5)
    full, bare = dead.read(item.message), dead.read(dead.bare(item).message)
    assert replace(bare, message=full.message) == full
    assert bare.message == WireMessage({"ba-type": "Counter"}, b"\xff")
    assert dead.bare(item).actor_type == "Counter"


def test_a_message_without_a_type_is_listed_under_that_of_its_mailbox() -> None:
    assert dead.address_of(unreadable(WireMessage({"ba-id": "c1"}))) == C1


def test_a_letter_is_not_copied_to_where_its_publisher_wanted_copies() -> None:
    item = dead.of_message(
        WireMessage({"CC": ["Order"], "BCC": ["Stock"]}), BOOM, actor_type="Counter", origin="", now_ms=0
    )
    assert not {"CC", "BCC"} & item.message.headers.keys()


# --- one frame ----------------------------------------------------------------------


def _size_bytes(headers: Mapping[str, object]) -> int:
    # The client library writes bytes of one kind only, as the transport knows.
    fields = {
        name: bytearray(value) if isinstance(value, bytes) else value for name, value in headers.items()
    }
    return len(field_table(cast("FieldTable", fields)))


@pytest.mark.parametrize(
    "headers",
    [
        {f"header-{n}": "x" * 500 for n in range(250)},
        {"huge": "\U0001f600" * 32_000},
        {"numbers": list(range(100, 50_000))},
        {"ba-id": "x" * 100_000, "ba-type": 7},
        {"nested": {f"k{n}": {"a": [None, True, 1.5]} for n in range(3_000)}},
    ],
    ids=["many", "wide", "numbers", "ours", "nested"],
)
def test_a_letter_of_a_message_with_a_frame_full_of_headers_fits_a_frame(
    headers: Mapping[str, object],
) -> None:
    error = ErrorRecord("", "E" * 8_000, "\U0001f600" * 8_000, traceback="\U0001f600" * 8_000)
    item = dead.of_message(WireMessage(headers), error, actor_type="T" * 64, origin="o" * 255, now_ms=2**62)
    assert _size_bytes(item.message.headers) < HEADERS_BYTES_MAX


def test_a_header_with_a_name_that_cannot_be_sent_is_left_out() -> None:
    letter = unreadable(WireMessage({"ä" * 65: 1, "ä" * 64: 2}))
    assert letter.message.headers == {"ä" * 64: 2, "ba-type": "Counter"}


def test_of_too_many_headers_ours_are_kept() -> None:
    filling = {f"a{n}": n for n in range(FOREIGN_HEADERS_BYTES_MAX // 10)}
    letter = unreadable(WireMessage({**filling, "ba-id": "c1", "ba-key": "order-42"}))
    assert letter.message.headers["ba-id"] == "c1"
    assert letter.message.headers["ba-key"] == "order-42"


def test_the_letter_of_the_largest_envelope_fits_a_frame() -> None:
    error = ErrorRecord("", "E" * 8_000, "\U0001f600" * 8_000, traceback="\U0001f600" * 8_000)
    envelope = Envelope(
        Address("T" * 64, "é" * 85),
        "m" * 128,
        key="é" * 512,
        sender="é" * 128,
        seq=2**62,
        low=2**62,
        attempt=2**62,
        deadline_ms=2**62,
        chain=(f"{'T' * 64}/{'%' * 170}",) * 32,
        traceparent="x" * 16_384,
        tracestate="é" * 8_192,
        history="é" * 8_192,
    )
    item = dead.of_envelope(envelope, Reason.FAILED, error, origin="o" * 255, now_ms=2**62)
    assert from_wire(item.message).chain == envelope.chain
    assert _size_bytes(item.message.headers) < HEADERS_BYTES_MAX


# --- redriving ------------------------------------------------------------------------


@given(some.envelopes)
def test_a_redriven_letter_is_a_first_attempt_nobody_waits_for(envelope: Envelope) -> None:
    letter = buried(envelope)
    again = dead.redriven(letter)
    assert (again.address, again.digest()) == (envelope.address, envelope.digest())
    assert again.key == f"redrive:{letter.id}"
    assert (again.attempt, again.deadline_ms, again.chain) == (1, 0, ())
    assert (again.reply_to, again.correlation_id) == ("", "")
    assert (again.sender, again.seq, again.low) == ("", 0, 0)
    assert history.read(again.history)[-1:] == history.read(letter.history)[-1:]


def test_a_redriven_message_that_fails_again_is_another_letter() -> None:
    letter = buried(TELL)
    second = buried(dead.redriven(letter))
    assert second.id != letter.id
    assert len(history.read(second.history)) == 2


def test_an_unreadable_message_cannot_be_redriven() -> None:
    with pytest.raises(UndecodableError):
        dead.redriven(unreadable(WireMessage({"ba-type": "Counter"}, type="increment")))


# --- what the broker gave up ------------------------------------------------------------


def given_up(envelope: Envelope) -> WireMessage:
    message = to_wire(envelope)
    headers = {
        **message.headers,
        "x-death": [DELIVERY_LIMIT_DEATH],
        "x-first-death-queue": "actors.Counter.g1.3",
        "x-first-death-reason": "delivery_limit",
        "x-last-death-queue": "actors.Counter.g1.3",
    }
    return replace(message, headers=headers, message_id=envelope.message_id)


def test_a_letter_of_the_broker_says_what_the_broker_knows() -> None:
    letter = dead.read(given_up(TELL))
    assert (letter.reason, letter.error) == ("given_up", "the broker gave it up: delivery_limit")
    assert letter.origin == "actors.Counter.g1.3"
    assert letter.message == to_wire(TELL)


@given(some.envelopes)
def test_letters_of_the_broker_have_the_id_of_their_message(envelope: Envelope) -> None:
    assert dead.read(given_up(envelope)).id == buried(envelope).id


def test_unreadable_letters_of_the_broker_have_different_ids() -> None:
    letters = [dead.read(WireMessage({"x-death": []}, body)) for body in (b"1", b"2")]
    assert len({letter.id for letter in letters}) == 2


@given(some.envelopes)
def test_what_the_broker_gave_up_is_redriven_under_its_own_identity(envelope: Envelope) -> None:
    again = dead.redriven(dead.read(given_up(envelope)))
    assert again.identity == envelope.identity
    assert (again.attempt, again.deadline_ms, again.reply_to, again.chain) == (1, 0, "", ())
