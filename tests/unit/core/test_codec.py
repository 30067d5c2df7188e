"""Bodies as bytes and back, within bounds, whatever anybody sends."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from typing import NamedTuple
from uuid import UUID

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from broker_actors.core import codec
from broker_actors.core.codec import BODY_BYTES_MAX, DEPTH_MAX, ITEMS_MAX, decode, decode_map, encode
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import PayloadTooLargeError, Plain, UndecodableError
from tests.unit.core import strategies as some

both = pytest.mark.parametrize("content_type", [MSGPACK, JSON])


class Point(NamedTuple):
    x: int


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


def lists_in_lists(depth: int, innermost: object = None) -> object:
    """Return *depth* lists, each but the last with the next one in it."""
    value: object = [] if innermost is None else [innermost]
    for _ in range(depth - 1):
        value = [value]
    return value


# --- round trips ----------------------------------------------------------


@both
@given(value=some.plain_values)
def test_plain_values_come_back_equal(content_type: str, value: Plain) -> None:
    assert decode(encode(value, content_type), content_type) == value


@given(st.floats())
def test_every_float_travels_in_msgpack(number: float) -> None:
    assert repr(decode(encode(number))) == repr(number)


@given(some.plain_values)
def test_json_is_json_that_any_parser_reads(value: Plain) -> None:
    parsed = json.loads(encode(value, JSON).decode("utf-8"), parse_constant=pytest.fail)
    assert isinstance(parsed, dict) == isinstance(value, dict | bytes)


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (b"\x00\xff", '{"$bytes":"AP8="}'),
        (b"", '{"$bytes":""}'),
        ({"$bytes": "AP8="}, '{"$$bytes":"AP8="}'),
        ({"$bytes": 5}, '{"$$bytes":5}'),
        ({"$$bytes": b"\x00"}, '{"$$$bytes":{"$bytes":"AA=="}}'),
        ({"$bytes": 1, "x": 2}, '{"$bytes":1,"x":2}'),
        ({"bytes": 1}, '{"bytes":1}'),
    ],
)
def test_bytes_in_json_are_base64_and_what_looks_like_it_is_escaped(value: Plain, wire: str) -> None:
    assert encode(value, JSON) == wire.encode()
    assert decode(wire.encode(), JSON) == value


@both
@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, 2), [1, 2]),
        (Point(1), [1]),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        (OrderedDict(a=1), {"a": 1}),
        (Colour.RED, "red"),
        (Number.ONE, 1),
        ({Colour.RED: 1}, {"red": 1}),
    ],
)
def test_near_relatives_of_plain_values_become_plain(content_type: str, value: object, plain: Plain) -> None:
    found = decode(encode(value, content_type), content_type)
    assert found == plain
    assert type(found) is type(plain)


def test_keys_that_are_numbers_stay_numbers_in_msgpack_and_become_text_in_json() -> None:
    value: object = {2: "a", -2: "b", 0.5: "c", True: "d"}
    assert decode(encode(value)) == value
    assert decode(encode(value, JSON), JSON) == {"2": "a", "-2": "b", "0.5": "c", "true": "d"}
    assert decode(encode({Number.ONE: 1}, JSON), JSON) == {"1": 1}


@both
@given(value=some.plain_values | st.integers(-(2**66), 2**66) | st.text(st.characters(codec="utf-16")))
@example(value=2**64 - 1)
@example(value=2**64)
@example(value=-(2**63) - 1)
@example(value="\ud800")
@example(value="x" * BODY_BYTES_MAX)
def test_what_looks_surely_encodable_is(content_type: str, value: object) -> None:
    if codec.is_surely_encodable(value):
        encode({"ok": True, "result": value}, content_type)


@pytest.mark.parametrize("value", [None, True, 0, -1, 2**63, "", "ready"])
def test_what_most_methods_return_is_surely_encodable(value: object) -> None:
    assert codec.is_surely_encodable(value)


# --- simplify -------------------------------------------------------------


@both
def test_simplify_is_called_until_the_value_is_plain(content_type: str) -> None:
    class Product(Enum):
        BOOK = UUID(int=5)

    def simplify(value: object) -> object:
        match value:
            case Product():
                return value.value
            case UUID():
                return str(value)
            case _:
                return codec.refuse(value)

    found = decode(encode([Product.BOOK, {Product.BOOK: 1}], content_type, simplify=simplify), content_type)
    assert found == [str(UUID(int=5)), {str(UUID(int=5)): 1}]


@both
def test_a_value_that_never_gets_plain_is_an_error(content_type: str) -> None:
    with pytest.raises(TypeError, match="never becomes plain"):
        encode(object(), content_type, simplify=lambda _: object())


@both
def test_a_simplify_that_goes_in_circles_is_an_error(content_type: str) -> None:
    with pytest.raises(TypeError, match="cannot be encoded"):
        encode(object(), content_type, simplify=lambda value: [value])


@both
@pytest.mark.parametrize("value", [object(), {1, 2}, datetime(2026, 1, 1, tzinfo=UTC), 1j, ...])
def test_without_simplify_unknown_types_are_named_in_a_type_error(content_type: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{type(value).__name__} cannot be sent"):
        encode([value], content_type)


# --- what cannot be encoded -----------------------------------------------


@both
@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        {"\udfff": 1},
        2**64,
        -(2**63) - 1,
        10**5000,
        {("a", 1): 2},
        lists_in_lists(DEPTH_MAX + 1),
        lists_in_lists(400),
        lists_in_lists(100_000),
        [0] * (ITEMS_MAX + 1),
        msgpack.Timestamp(1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_decode_could_not_read_is_a_type_error(content_type: str, value: object) -> None:
    with pytest.raises(TypeError):
        encode(value, content_type)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_has_no_such_numbers(number: float) -> None:
    with pytest.raises(TypeError, match="not JSON compliant"):
        encode([number], JSON)


@pytest.mark.parametrize("key", [None, b"a", (1,), float("nan")])
def test_json_has_no_such_keys(key: object) -> None:
    with pytest.raises(TypeError):
        encode({key: 1}, JSON)


def test_two_keys_that_json_cannot_tell_apart_are_an_error() -> None:
    with pytest.raises(TypeError, match="two keys that are the same in JSON"):
        encode({1: "a", "1": "b"}, JSON)


@both
def test_a_value_that_holds_itself_is_an_error(content_type: str) -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(TypeError):
        encode(value, content_type)


@both
def test_too_many_bytes_are_an_error_that_names_the_thing(content_type: str) -> None:
    assert len(encode("x" * (BODY_BYTES_MAX - 5), content_type)) <= BODY_BYTES_MAX
    with pytest.raises(PayloadTooLargeError, match=rf"the state has .* limit is {BODY_BYTES_MAX}"):
        encode("x" * BODY_BYTES_MAX, content_type, what="state")


@given(some.rubbish, some.content_types)
def test_rubbish_is_encoded_or_a_type_error(value: object, content_type: str) -> None:
    try:
        data = encode(value, content_type)
    except TypeError:
        return
    _check_plain(decode(data, content_type))


@given(some.rubbish)
def test_what_msgpack_encodes_is_decoded_to_the_same_again(value: object) -> None:
    # Also what is so little and so plain that it is not read again before it leaves.
    for around in (value, {"v": 1, "s": {"name": value}}, [value]):
        try:
            data = encode(around)
        except TypeError:
            continue  # refused, so that nothing was written that cannot be read
        assert encode(decode(data)) == data


# --- bounds of decoding ---------------------------------------------------


@both
@pytest.mark.parametrize("innermost", [None, 1, "x"])
@pytest.mark.parametrize("others", [0, 100])
def test_64_levels_are_read_and_65_are_not(content_type: str, innermost: object, others: int) -> None:
    def value(depth: int) -> object:
        return [lists_in_lists(depth - 1, innermost), *[[] for _ in range(others)]]

    def raw(depth: int) -> bytes:
        found = value(depth)
        return msgpack.packb(found) if content_type == MSGPACK else json.dumps(found).encode()

    assert decode(raw(DEPTH_MAX), content_type) == value(DEPTH_MAX)
    with pytest.raises(UndecodableError, match="deeper than 64"):
        decode(raw(DEPTH_MAX + 1), content_type)


@both
def test_maps_count_as_levels_too(content_type: str) -> None:
    value: object = 1
    for _ in range(DEPTH_MAX + 1):
        value = {"a": value}
    data = msgpack.packb(value) if content_type == MSGPACK else json.dumps(value).encode()
    with pytest.raises(UndecodableError, match="deeper than 64"):
        decode(data, content_type)


@both
@pytest.mark.parametrize(
    "value",
    [[0] * (ITEMS_MAX + 1), [[0] * 1000] * 270, [{str(n): 0 for n in range(500)}] * 270, [[]] * 270_000],
)
def test_more_items_than_the_bound_are_not_read(content_type: str, value: object) -> None:
    data = (
        msgpack.packb(value) if content_type == MSGPACK else json.dumps(value, separators=(",", ":")).encode()
    )
    with pytest.raises(UndecodableError, match=r"items|exceeds max_array_len"):
        decode(data, content_type, bytes_max=10 * BODY_BYTES_MAX)


@both
def test_as_many_items_as_the_bound_are_read(content_type: str) -> None:
    value = [[0] * 1023 for _ in range(ITEMS_MAX // 1024)]
    assert decode(encode(value, content_type), content_type) == value


@both
@given(value=st.lists(st.lists(st.lists(st.none(), max_size=3), max_size=3), max_size=40))
def test_what_is_within_the_bounds_is_read_however_many_containers_it_has(
    content_type: str, value: Plain
) -> None:
    assert decode(encode(value, content_type), content_type) == value


@both
def test_too_many_bytes_are_not_even_looked_at(content_type: str) -> None:
    with pytest.raises(PayloadTooLargeError):
        decode(b"\xc1" * (BODY_BYTES_MAX + 1), content_type)


def test_an_unknown_content_type_is_undecodable_both_ways() -> None:
    with pytest.raises(UndecodableError, match="unknown content type 'text/plain'"):
        decode(b"\x01", "text/plain")
    with pytest.raises(UndecodableError, match="unknown content type 'text/plain'"):
        encode(1, "text/plain")


UNDECODABLE_MSGPACK = {
    "nothing": b"",
    "reserved byte": b"\xc1",
    "cut off": b"\x92\x01",
    "trailing bytes": b"\x01\x01",
    "text that is not UTF-8": b"\xa1\xff",
    "text with a surrogate": b"\xa3\xed\xa0\x80",
    "extension": b"\xd4\x05x",
    "empty extension": b"\xc7\x00\x05",
    "timestamp": b"\xd6\xff\x00\x00\x00\x01",
    "empty timestamp": b"\xc7\x00\xff",
    "list as a key": b"\x81\x90\x01",
    "map as a key": b"\x81\x80\x01",
    "list of four billion": b"\xdd\xff\xff\xff\xff",
    "map of four billion": b"\xdf\xff\xff\xff\xff",
    "text of four billion": b"\xdb\xff\xff\xff\xff",
    "bytes of four billion": b"\xc6\xff\xff\xff\xff",
    "lists of a million in each other": b"\xdd\x00\x0f\xff\xff" * 200_000,
    "a million lists in each other": b"\x91" * BODY_BYTES_MAX,
}
UNDECODABLE_JSON = {
    "nothing": b"",
    "not a number": b"[NaN]",
    "infinite": b"[-Infinity]",
    "a number beyond floats": b"1e999",
    "an integer beyond 64 bits": b"18446744073709551616",
    "an integer below 64 bits": b"[-9223372036854775809]",
    "an integer of many digits": b"1" * 10_000,
    "half a surrogate pair": b'"\\ud800"',
    "half a pair in a key": b'{"\\uDFFF": 1}',
    "half a pair in lower case beside a pair": b'["\\ud83d\\ude00", "\\udc00"]',
    "encoded surrogate": b'"\xed\xa0\x80"',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a": 1}'.encode("utf-16-le"),
    "byte order mark": b"\xef\xbb\xbf1",
    "not UTF-8": b'"\xff"',
    "control character": b'"\x01"',
    "trailing comma": b"[1,]",
    "single quotes": b"{'a': 1}",
    "two values": b"1 2",
    "bytes that are no base64": b'{"$bytes": "!"}',
    "bytes without padding": b'{"$bytes": "YQ"}',
    "bytes in the URL alphabet": b'{"$bytes": "-_-_"}',
    "bytes in no ASCII": '{"$bytes": "é==="}'.encode(),
    "bytes that are a number": b'{"$bytes": 1}',
    "a hundred thousand lists": b"[" * 100_000,
    "a hundred thousand maps": b'{"a":' * 100_000,
}


# --- fuzz -----------------------------------------------------------------


@pytest.mark.parametrize("what", UNDECODABLE_MSGPACK)
def test_bad_msgpack_is_undecodable(what: str) -> None:
    with pytest.raises(UndecodableError):
        decode(UNDECODABLE_MSGPACK[what])


@pytest.mark.parametrize("what", UNDECODABLE_JSON)
def test_bad_json_is_undecodable(what: str) -> None:
    with pytest.raises(UndecodableError):
        decode(UNDECODABLE_JSON[what], JSON)


@given(data=st.binary(max_size=60), content_type=some.content_types | st.text(max_size=5))
@example(data=b"\x81\xc0\xc0", content_type=MSGPACK)
def test_bytes_are_decoded_or_undecodable(data: bytes, content_type: str) -> None:
    try:
        value = decode(data, content_type)
    except UndecodableError:
        return
    _check_plain(value)


@given(
    st.lists(
        st.sampled_from(
            [*'[]{}:,"$ \\', '"$bytes"', "\\ud800", "\\udc00", "NaN", "-", "1", "e", ".", "null", "é"]
        ),
        max_size=12,
    )
)
def test_tokens_of_json_are_decoded_or_undecodable(tokens: list[str]) -> None:
    try:
        value = decode("".join(tokens).encode(), JSON)
    except UndecodableError:
        return
    _check_plain(value)
    encode(value, JSON)


@given(some.plain_values, st.integers(0, 200), st.integers(1, 255), some.content_types)
def test_a_flipped_byte_is_decoded_or_undecodable(
    value: Plain, place: int, change: int, content_type: str
) -> None:
    data = bytearray(encode(value, content_type))
    assume(data)
    data[place % len(data)] ^= change
    try:
        _check_plain(decode(bytes(data), content_type))
    except UndecodableError:
        return


@pytest.mark.parametrize(
    ("data", "content_type"), [(b"\x82\xa1a\x01\xa1a\x02", MSGPACK), (b'{"a":1,"a":2}', JSON)]
)
def test_of_equal_keys_the_last_counts(data: bytes, content_type: str) -> None:
    assert decode(data, content_type) == {"a": 2}


def test_a_surrogate_pair_in_json_is_one_character() -> None:
    assert decode(b'"\\ud83d\\ude00"', JSON) == "\U0001f600"


def test_memory_that_runs_out_is_undecodable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*_: object, **__: object) -> object:
        raise MemoryError

    monkeypatch.setattr(codec, "_from_msgpack", run_out)
    with pytest.raises(UndecodableError, match="MemoryError"):
        decode(b"\x01")


# --- maps -----------------------------------------------------------------


@both
def test_a_map_with_text_keys_is_decoded_as_one(content_type: str) -> None:
    assert decode_map(encode({"a": 1}, content_type), content_type) == {"a": 1}


@pytest.mark.parametrize("value", [1, [], {1: 2}, {b"a": 1}, None])
def test_what_is_no_map_with_text_keys_is_undecodable(value: object) -> None:
    with pytest.raises(UndecodableError, match="map with text keys"):
        decode_map(encode(value))


def _check_plain(value: object) -> None:
    """Fail if *value* is something else than plain values that encode again."""
    match value:
        case dict():
            for key, item in value.items():
                _check_plain(key)
                _check_plain(item)
        case list():
            for item in value:
                _check_plain(item)
        case str():
            value.encode()
        case _:
            assert value is None or type(value) in {bool, int, float, bytes}
    encode(value)
