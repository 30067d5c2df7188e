"""Readings of headers that anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given

from broker_actors.core.errors import UndecodableError
from broker_actors.core.wire import HEADER_BYTES_MAX, INTEGER_MAX, text, whole
from tests.unit.core import strategies as some


@given(some.texts)
def test_text_comes_as_text_or_as_utf8_bytes(value: str) -> None:
    assert text({"h": value}, "h") == value
    assert text({"h": value.encode()}, "h") == value


def test_what_is_absent_has_its_default() -> None:
    assert text({}, "h") == ""
    assert whole({}, "h", 7) == 7


@pytest.mark.parametrize(
    "value", [None, 1, True, 1.5, ["a"], {"a": "b"}, b"\xff", "\ud800", "x" * 16_385, "é" * 8_193]
)
def test_what_is_no_text_of_its_size_in_utf8_is_undecodable(value: object) -> None:
    assert HEADER_BYTES_MAX == 16_384
    with pytest.raises(UndecodableError, match="header h"):
        text({"h": value}, "h")


def test_a_bound_counts_bytes() -> None:
    assert text({"h": "éé"}, "h", bytes_max=4) == "éé"
    with pytest.raises(UndecodableError, match="at most 3 bytes"):
        text({"h": "éé"}, "h", bytes_max=3)


@pytest.mark.parametrize("value", [0, 1, INTEGER_MAX])
def test_whole_numbers_are_read(value: int) -> None:
    assert whole({"h": value}, "h", 1) == value


@pytest.mark.parametrize("value", [-1, INTEGER_MAX + 1, True, False, 1.0, "1", b"1", None, [1]])
def test_what_is_no_whole_number_is_undecodable(value: object) -> None:
    with pytest.raises(UndecodableError, match="header h is not a whole number"):
        whole({"h": value}, "h", 1)


@given(some.rubbish_headers)
def test_rubbish_is_read_or_undecodable(headers: Mapping[str, object]) -> None:
    for name in headers:
        try:
            assert isinstance(text(headers, name), str)
        except UndecodableError:
            assert headers[name] != ""
        try:
            assert whole(headers, name, 0) >= 0
        except UndecodableError:
            assert headers[name] != 0 or isinstance(headers[name], bool | float)
