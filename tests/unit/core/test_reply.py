"""The reply an ask's caller receives."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker_actors.core import codec
from broker_actors.core.codec import BODY_BYTES_MAX
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import ErrorRecord, PayloadTooLargeError, Plain, UndecodableError
from broker_actors.core.reply import Reply, error_from_plain, error_to_plain, of_error, of_result, read
from tests.unit.core import strategies as some


@given(some.plain_values, some.content_types)
def test_a_result_comes_back(value: Plain, content_type: str) -> None:
    assert read(of_result(value, content_type)) == value


@given(some.errors, some.content_types)
def test_an_error_comes_back(error: ErrorRecord, content_type: str) -> None:
    assert read(of_error(error, content_type)) == error


def test_a_reply_is_a_map_with_ok() -> None:
    assert codec.decode(of_result([1], JSON).body, JSON) == {"ok": True, "result": [1]}
    error = ErrorRecord("BusinessError", "SoldOut", "none left", "sold_out", {"sku": "a"})
    assert codec.decode(of_error(error, JSON).body, JSON) == {"ok": False, "error": error_to_plain(error)}


def test_a_result_may_be_absent() -> None:
    assert read(Reply(b'{"ok":true}', JSON)) is None


def test_a_result_has_the_bounds_of_a_body() -> None:
    with pytest.raises(PayloadTooLargeError, match="the result has"):
        of_result("x" * BODY_BYTES_MAX)
    with pytest.raises(TypeError, match="set cannot be sent"):
        of_result({1})


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        [],
        {},
        {"ok": 1},
        {"ok": "true", "result": 1},
        {"ok": False},
        {"ok": False, "error": "boom"},
        {"ok": None},
    ],
)
@pytest.mark.parametrize("content_type", [MSGPACK, JSON])
def test_another_shape_is_no_reply(value: object, content_type: str) -> None:
    with pytest.raises(UndecodableError):
        read(Reply(codec.encode(value, content_type), content_type))


def test_a_reply_of_unknown_encoding_is_undecodable() -> None:
    with pytest.raises(UndecodableError, match="unknown content type"):
        read(Reply(b"1", "text/plain"))


@given(st.dictionaries(st.sampled_from([*error_to_plain(ErrorRecord("", "", "")), "x"]), some.plain_values))
def test_any_error_map_is_read_and_ill_typed_fields_are_empty(fields: dict[str, Plain]) -> None:
    error = error_from_plain(fields)
    for name in ("kind", "type", "message", "code", "traceback"):
        value = fields.get(name)
        assert getattr(error, name) == (value if isinstance(value, str) else "")
    assert error.recoverable == (fields.get("recoverable") is True)
    assert isinstance(error.details, dict)


@given(st.binary(max_size=40), some.content_types)
@example(body=of_result([1], MSGPACK).body, content_type=MSGPACK)
@example(body=of_result([1], JSON).body, content_type=JSON)
def test_any_bytes_are_a_reply_or_undecodable(body: bytes, content_type: str) -> None:
    try:
        read(Reply(body, content_type))
    except UndecodableError:
        return
    assert isinstance(codec.decode_map(body, content_type)["ok"], bool)
