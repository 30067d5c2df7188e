"""The envelope and its wire format."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.address import Address
from broker_actors.core.envelope import JSON, MSGPACK, Envelope, from_wire, to_wire
from broker_actors.core.errors import ConfigurationError, UndecodableError
from broker_actors.core.wire import BODY_BYTES_MAX, WireMessage
from tests.unit.core import strategies as some

C1 = Address("Counter", "c1")
MINIMAL = WireMessage({"ba-type": "Counter", "ba-id": "c1"}, type="increment")


@given(some.envelopes)
def test_an_envelope_comes_back_as_it_was_sent(envelope: Envelope) -> None:
    # The message id is chosen anew by each publish.
    message = replace(to_wire(envelope), message_id=envelope.message_id)
    assert from_wire(message) == envelope


@given(some.envelopes)
def test_headers_are_text_and_whole_numbers(envelope: Envelope) -> None:
    assert {type(value) for value in to_wire(envelope).headers.values()} <= {str, int}


def test_three_things_are_enough_for_a_foreign_message() -> None:
    assert from_wire(MINIMAL) == Envelope(C1, "increment")


def test_a_plain_tell_has_only_the_headers_it_needs() -> None:
    assert to_wire(Envelope(C1, "increment")).headers == {
        "ba-version": 1,
        "ba-type": "Counter",
        "ba-id": "c1",
    }


def outcome(message: WireMessage) -> Envelope | str:
    try:
        return from_wire(message)
    except UndecodableError as error:
        return str(error)


@given(
    actor_type=st.sampled_from(["Counter", "", "no type", "T" * 65]),
    actor_id=some.texts | st.just("i" * 171),
    sender=some.texts | st.just("s" * 257),
    version=st.sampled_from([1, 2]),
)
def test_what_is_remembered_of_headers_is_what_is_read_from_those_that_cannot_be(
    actor_type: str, actor_id: str, sender: str, version: int
) -> None:
    headers = {"ba-version": version, "ba-type": actor_type, "ba-id": actor_id, "ba-sender": sender}
    # A bytearray has no hash.
    anew = headers | {"ba-sender": bytearray(sender.encode())}
    expected = outcome(replace(MINIMAL, headers=anew))
    for _ in range(2):
        assert outcome(replace(MINIMAL, headers=headers)) == expected


@pytest.mark.parametrize(
    ("header", "value"),
    [("ba-version", value) for value in (True, 1.0, Decimal(1), None, [1])]
    + [("ba-id", value) for value in (None, ["c1"], {"c1": 1}, ("c1",))],
)
def test_what_only_equals_what_was_read_before_is_not_taken_for_it(header: str, value: object) -> None:
    assert from_wire(replace(MINIMAL, headers={**MINIMAL.headers, "ba-version": 1})).address == C1
    with pytest.raises(UndecodableError, match=header):
        from_wire(replace(MINIMAL, headers={**MINIMAL.headers, header: value}))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("", MSGPACK),
        ("application/json", JSON),
        ("application/json; charset=utf-8", JSON),
        ("Application/JSON", JSON),
        ("text/plain", "text/plain"),
    ],
)
def test_a_content_type_may_have_parameters(sent: str, read: str) -> None:
    assert from_wire(replace(MINIMAL, content_type=sent)).content_type == read


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("ba-type", None),
        ("ba-type", "1Counter"),
        ("ba-type", 5),
        ("ba-id", None),
        ("ba-id", ""),
        ("ba-id", "x" * 171),
        ("ba-id", "a\nb"),
        ("ba-id", 7),
        ("ba-version", 2),
        ("ba-version", "1"),
        ("ba-version", True),
        ("ba-seq", -1),
        ("ba-seq", 2**63),
        ("ba-low", "1"),
        ("ba-attempt", 0),
        ("ba-attempt", True),
        ("ba-deadline", 1.5),
        ("ba-sender", "x" * 257),
        ("ba-key", "x" * 1_025),
        ("ba-key", ["order-42"]),
        ("ba-chain", "A/1 " * 32 + "A/1"),
        ("ba-chain", {"A": 1}),
        ("ba-history", "x" * 16_385),
        ("traceparent", 5),
        ("tracestate", b"\xff"),
    ],
)
def test_a_header_out_of_its_bounds_is_undecodable(header: str, value: object) -> None:
    headers = {
        name: content for name, content in {**MINIMAL.headers, header: value}.items() if content is not None
    }
    with pytest.raises(UndecodableError):
        from_wire(replace(MINIMAL, headers=headers))


def test_retries_of_calls_with_one_key_are_told_apart_by_what_their_first_attempts_were() -> None:
    one = Envelope(C1, "add", sender="web", seq=1, key="order-42")
    other = replace(one, seq=2)
    retries = [call.again(2, "").again(3, "") for call in (one, one, other)]
    first, copy, of_other = (from_wire(to_wire(retry)).settled_key for retry in retries)
    assert first == copy != of_other
    # What nobody numbered is one and the same call, however often it is published.
    assert replace(one, sender="", seq=0).again(2, "").settled_key == "r:k:order-42:2"


@pytest.mark.parametrize("method", ["", "x" * 129, "\ud800", "㌀" * 86])
def test_a_method_has_one_to_128_characters_in_an_amqp_short_string(method: str) -> None:
    with pytest.raises(UndecodableError, match="1 to 128 characters"):
        from_wire(replace(MINIMAL, type=method))


def test_a_body_over_the_limit_is_no_envelope_for_its_dead_letter_would_fit_no_outbox() -> None:
    assert from_wire(replace(MINIMAL, body=bytes(BODY_BYTES_MAX))).body
    with pytest.raises(UndecodableError, match="the limit is"):
        from_wire(replace(MINIMAL, body=bytes(BODY_BYTES_MAX + 1)))


@given(some.rubbish_messages)
def test_any_message_is_an_envelope_that_travels_on_or_undecodable(message: WireMessage) -> None:
    try:
        envelope = from_wire(message)
    except UndecodableError:
        return
    envelope.digest()
    again = envelope.again(2, "[]")
    assert from_wire(to_wire(again)).key == again.key


@pytest.mark.parametrize(
    ("method", "key", "attempt"),
    [("", "", 1), ("\ud800", "", 1), ("add", "x" * 1_025, 1), ("add", "\ud800", 1), ("add", "", 0)],
)
def test_an_envelope_that_nobody_could_read_cannot_be_made(method: str, key: str, attempt: int) -> None:
    with pytest.raises(ConfigurationError):
        Envelope(C1, method, key=key, attempt=attempt)


def test_a_chain_of_asks_is_bounded() -> None:
    assert len(Envelope(C1, "increment", chain=("Counter/c2",) * 32).chain) == 32
    with pytest.raises(ConfigurationError, match="33 actors wait"):
        Envelope(C1, "increment", chain=("Counter/c2",) * 33)


@given(st.lists(st.text("% 20A/é", max_size=170), min_size=1, max_size=32))
def test_a_chain_comes_back_whatever_its_ids_contain(callers: list[str]) -> None:
    chain = tuple(f"A/{caller}" for caller in callers)
    message = to_wire(Envelope(C1, "increment", chain=chain))
    assert from_wire(message).chain == chain
    assert str(message.headers["ba-chain"]).count(" ") == len(chain) - 1


def test_the_longest_chain_is_read() -> None:
    chain = (f"{'T' * 64}/{'%' * 170}",) * 32
    assert from_wire(to_wire(Envelope(C1, "increment", chain=chain))).chain == chain


# --- identity -----------------------------------------------------------------


def test_a_key_comes_before_a_number_and_a_number_before_a_message_id() -> None:
    envelope = Envelope(C1, "increment", key="k", sender="s", seq=5, message_id="m")
    assert envelope.identity == "k:k"
    assert replace(envelope, key="").identity == "n:s:5"
    assert replace(envelope, key="", sender="").identity == "m:m"


def test_a_sender_that_does_not_number_is_told_apart_by_message_ids() -> None:
    one, other = (Envelope(C1, "increment", sender="s", message_id=m) for m in ("1", "2"))
    assert one.identity != other.identity


def test_without_any_name_an_envelope_is_what_it_says() -> None:
    one, other = (Envelope(C1, "increment", body=body) for body in (b"1", b"2"))
    assert one.identity == replace(one).identity != other.identity


named = st.builds(
    Envelope,
    st.just(C1),
    st.just("increment"),
    key=st.sampled_from(["", "a", "n:a:1"]),
    sender=st.sampled_from(["", "a", "a:1", "k:a"]),
    seq=st.integers(0, 2),
    message_id=st.sampled_from(["a", "a:1"]),
)


@given(named, named)
def test_two_envelopes_share_an_identity_exactly_when_they_share_the_name_that_counts(
    one: Envelope, other: Envelope
) -> None:
    def name(envelope: Envelope) -> tuple[object, ...]:
        if envelope.key:
            return ("key", envelope.key)
        if envelope.sender and envelope.seq:
            return ("number", envelope.sender, envelope.seq)
        return ("message id", envelope.message_id)

    assert (one.identity == other.identity) == (name(one) == name(other))


# --- the next attempt -----------------------------------------------------------


@given(some.envelopes, st.integers(2, 2**40))
def test_the_next_attempt_is_the_same_call_under_a_key(envelope: Envelope, attempt: int) -> None:
    again = envelope.again(attempt, "[1]")
    assert again.digest() == envelope.digest()
    assert (again.attempt, again.history) == (attempt, "[1]")
    assert (again.sender, again.seq, again.low) == ("", 0, 0), "the failed attempt consumed its number"
    assert again.key
    if envelope.key:
        assert again.key == envelope.key
    same = (again.reply_to, again.correlation_id, again.deadline_ms, again.chain)
    assert same == (envelope.reply_to, envelope.correlation_id, envelope.deadline_ms, envelope.chain)


def test_the_key_of_a_retry_names_the_turn_and_stays_for_later_attempts() -> None:
    second = Envelope(C1, "increment", sender="s", seq=5).again(2, "[]")
    assert second.key == "r:n:s:5:2"
    assert second.again(3, "[]").key == second.key


def test_the_longest_names_make_a_key_that_can_travel() -> None:
    numbered = Envelope(C1, "increment", sender="é" * 128, seq=2**63 - 1).again(2**63 - 1, "")
    named = Envelope(C1, "increment", message_id="é" * 127).again(2**63 - 1, "")
    for envelope in (numbered, named):
        assert from_wire(to_wire(envelope)).key == envelope.key


# --- the rest -------------------------------------------------------------------


def test_a_deadline_passes_at_its_millisecond_and_none_never_does() -> None:
    envelope = Envelope(C1, "increment", deadline_ms=1_000)
    assert [envelope.expired(now_ms) for now_ms in (999, 1_000, 1_001)] == [False, True, True]
    assert not replace(envelope, deadline_ms=0).expired(2**62)


def test_an_ask_is_what_names_a_reply_channel_and_itself_in_it() -> None:
    assert Envelope(C1, "increment", reply_to="r", correlation_id="1").is_ask
    assert not Envelope(C1, "increment", reply_to="r").is_ask
    assert not Envelope(C1, "increment").is_ask


def test_the_digest_tells_methods_and_bodies_apart_and_nothing_else() -> None:
    envelope = Envelope(C1, "increment", body=b"1", key="k")
    assert (
        envelope.digest() == replace(envelope, address=Address("Counter", "c2"), key="x", attempt=2).digest()
    )
    assert envelope.digest() != replace(envelope, body=b"2").digest()
    assert envelope.digest() != replace(envelope, method="decrement").digest()
    assert len(envelope.digest()) == 16
