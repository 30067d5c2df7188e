"""The body of a call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import codec
from broker_actors.core.body import decode, encode
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import InvalidArgumentsError, PayloadTooLargeError, Plain, UndecodableError
from tests.unit.core import strategies as some


@given(
    st.lists(some.plain_values, max_size=3),
    st.dictionaries(some.texts, some.plain_values),
    some.content_types,
)
def test_arguments_come_back(args: list[Plain], kwargs: dict[str, Plain], content_type: str) -> None:
    assert decode(encode(args, kwargs, content_type), content_type) == (args, kwargs)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"args":[]}', b'{"kwargs":{}}'])
def test_every_part_is_optional(body: bytes) -> None:
    assert decode(body, JSON) == ([], {})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [[1], {}],
        {"args": {}},
        {"kwargs": []},
        {"args": None},
        {"args": [], "more": 1},
        {"args": b"abc"},
        {"kwargs": {"a": 1}, "": 0},
    ],
)
@pytest.mark.parametrize("content_type", [MSGPACK, JSON])
def test_another_shape_is_undecodable(value: object, content_type: str) -> None:
    with pytest.raises(UndecodableError):
        decode(codec.encode(value, content_type), content_type)


def test_argument_names_are_text() -> None:
    with pytest.raises(UndecodableError, match="names in kwargs"):
        decode(codec.encode({"kwargs": {1: 2}}), MSGPACK)


@pytest.mark.parametrize("body", [b"", b"\x80"])
def test_an_unknown_content_type_is_undecodable_even_without_a_body(body: bytes) -> None:
    with pytest.raises(UndecodableError, match="unknown content type"):
        decode(body, "text/plain")


@pytest.mark.parametrize("argument", [object(), 2**64, "\ud800", float("nan")])
def test_an_argument_that_cannot_travel_is_an_invalid_one(argument: object) -> None:
    with pytest.raises(InvalidArgumentsError, match="cannot be sent"):
        encode([argument], {}, JSON)


def test_too_big_a_call_says_so() -> None:
    with pytest.raises(PayloadTooLargeError):
        encode(["x" * codec.BODY_BYTES_MAX], {})


@given(st.binary(max_size=30), some.content_types)
def test_any_bytes_are_arguments_or_undecodable(body: bytes, content_type: str) -> None:
    try:
        args, kwargs = decode(body, content_type)
    except UndecodableError:
        return
    assert isinstance(args, list)
    assert isinstance(kwargs, dict)
