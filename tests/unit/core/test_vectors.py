"""The conformance vectors, and the page that explains them, hold for this implementation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, cast
from zlib import crc32

import pytest

from broker_actors.core import body, codec, dead, delay, envelope, errors, history, reply, topology, wire
from broker_actors.core.address import ACTOR_ID_BYTES_MAX, Address
from broker_actors.core.dead import Reason
from broker_actors.core.envelope import JSON, MSGPACK, Envelope, from_wire, to_wire
from broker_actors.core.errors import Plain, UndecodableError
from broker_actors.core.reply import Reply
from broker_actors.core.topology import Layout
from broker_actors.core.wire import WireMessage

ROOT: Final = Path(__file__).parents[3]
Vector: TypeAlias = dict[str, Any]
#: AMQP's name of a property, and ours.
PROPERTIES: Final = {
    "content_type": "content_type",
    "type": "type",
    "correlation_id": "correlation_id",
    "reply_to": "reply_to",
    "timestamp": "timestamp_seconds",
    "message_id": "message_id",
}


def load(name: str) -> Vector:
    return cast("Vector", json.loads((ROOT / "tests/vectors" / name).read_text(encoding="utf-8")))


def each(name: str, part: str = "vectors") -> pytest.MarkDecorator:
    vectors = load(name)[part]
    return pytest.mark.parametrize(
        "vector", vectors, ids=[str(v.get("name") or next(iter(v.values()))) for v in vectors]
    )


def message_of(fields: Vector) -> WireMessage:
    properties = {PROPERTIES[name]: value for name, value in fields["properties"].items()}
    return WireMessage(headers=fields["headers"], body=bytes.fromhex(fields["body_hex"]), **properties)


def plain(value: object) -> Plain:
    """Return the value that a vector writes as JSON, with bytes as on the wire."""
    return codec.decode(json.dumps(value).encode(), JSON)


def envelope_of(fields: Vector) -> Envelope:
    args, kwargs = plain(fields["args"]), plain(fields["kwargs"])
    assert isinstance(args, list)
    assert isinstance(kwargs, dict)
    others = {k: v for k, v in fields.items() if k not in {"type", "id", "method", "args", "kwargs", "chain"}}
    return Envelope(
        Address(fields["type"], fields["id"]),
        fields["method"],
        body.encode(args, kwargs, fields["content_type"]),
        chain=tuple(fields["chain"]),
        **others,
    )


# --- the vectors ------------------------------------------------------------------------


@each("envelopes.json")
def test_a_message_is_read_as_its_envelope(vector: Vector) -> None:
    message, expected = message_of(vector["message"]), envelope_of(vector["envelope"])
    found = from_wire(message)
    assert body.decode(found.body, found.content_type) == body.decode(expected.body, expected.content_type)
    for name in Envelope.__dataclass_fields__.keys() - {"body", "message_id"}:
        assert getattr(found, name) == getattr(expected, name), name


@each("envelopes.json")
def test_a_canonical_message_is_what_its_envelope_is_written_as(vector: Vector) -> None:
    written, given = to_wire(envelope_of(vector["envelope"])), message_of(vector["message"])
    assert (written == given) == vector["canonical"]


@each("envelopes.json", "refused")
def test_a_message_that_breaks_the_format_is_refused(vector: Vector) -> None:
    assert vector["why"]
    with pytest.raises(UndecodableError):
        _read_call(message_of(vector["message"]))


def _read_call(message: WireMessage) -> None:
    found = from_wire(message)
    body.decode(found.body, found.content_type)


@each("values.json")
def test_a_value_has_both_encodings(vector: Vector) -> None:
    as_json, as_msgpack = vector["json"].encode(), bytes.fromhex(vector["msgpack_hex"])
    value = codec.decode(as_json, JSON)
    assert value == codec.decode(as_msgpack, MSGPACK)
    assert (codec.encode(value, JSON), codec.encode(value, MSGPACK)) == (as_json, as_msgpack)


@each("values.json", "undecodable")
def test_bytes_that_are_no_value_are_undecodable(vector: Vector) -> None:
    with pytest.raises(UndecodableError):
        codec.decode(bytes.fromhex(vector["hex"]), vector["content_type"])


@each("replies.json")
def test_a_reply_says_what_the_method_returned_or_raised(vector: Vector) -> None:
    entry = vector["stream_entry"]
    given = Reply(bytes.fromhex(entry["b_hex"]), entry["t"])
    assert entry.get("b_text", "").encode() in {given.body, b""}
    if vector["ok"]:
        result = plain(vector["result"])
        assert reply.read(given) == result
        assert reply.of_result(result, entry["t"]) == given
    else:
        fields = plain(vector["error"])
        assert isinstance(fields, dict)
        error = reply.error_from_plain(fields)
        assert reply.read(given) == error
        assert reply.of_error(error, entry["t"]) == given


@each("partitions.json")
def test_an_id_has_its_partition(vector: Vector) -> None:
    assert vector["id"].encode().hex() == vector["utf8_hex"]
    assert crc32(vector["id"].encode()) == vector["crc32"]
    assert vector["partition_of"].keys() == {"1", "8", "100"}
    for partitions, number in vector["partition_of"].items():
        assert Layout("Counter", 1, int(partitions)).key_of(vector["id"]) == f"Counter.g1.{number}"


@each("routes.json", "mailboxes")
def test_an_actor_has_its_mailbox(vector: Vector) -> None:
    layout = Layout(vector["type"], vector["generation"], vector["partitions"])
    route = layout.route_to(Address(vector["type"], vector["id"]))
    assert (route.exchange, route.key) == (vector["exchange"], vector["routing_key"])
    assert layout.mailbox_of(vector["id"]) == vector["queue"]
    assert topology.dead_queue(layout.type) == vector["dead_letter_queue"]


@each("routes.json", "delays")
def test_a_delay_has_its_route(vector: Vector) -> None:
    route = topology.delay_route(vector["seconds"])
    assert (route.exchange, route.key) == (vector["exchange"], vector["routing_key"])


@each("dead_letters.json")
def test_a_dead_letter_says_what_became_of_the_message(vector: Vector) -> None:
    letter, expected = dead.read(message_of(vector["message"])), vector["letter"]
    found = {
        name: getattr(letter, name) for name in ("id", "reason", "error", "traceback", "origin", "died_ms")
    }
    assert {**found, "history": history.read(letter.history), "headers": letter.message.headers} == expected


# --- the page -----------------------------------------------------------------------------

PAGE: Final = (ROOT / "docs/reference/wire-format.md").read_text(encoding="utf-8")
EXAMPLES: Final = re.findall(r"<!-- vector: ([\w.]+), ([^\n]*) -->\n```json\n(.*?)```", PAGE, re.DOTALL)


def example(file: str, name: str) -> Vector:
    vectors = load(file)
    match file:
        case "routes.json":
            return cast("Vector", next(v for v in vectors["delays"] if f"{v['seconds']} seconds" == name))
        case "values.json":
            return cast(
                "Vector", json.loads(next(v["json"] for v in vectors["vectors"] if v["name"] == name))
            )
        case "replies.json":
            return cast("Vector", next(v["stream_entry"] for v in vectors["vectors"] if v["name"] == name))
        case _:
            return cast("Vector", next(v["message"] for v in vectors["vectors"] if v["name"] == name))


def table(after: str) -> list[list[str]]:
    """Return the cells of the first table after the text *after*, without its head."""
    block = PAGE.split(after, 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in row.strip("|").split(" |")] for row in block.splitlines()[2:]]


def ticked(cell: str) -> str:
    return cell.split("`")[1]


def number_in(cell: str) -> int:
    return int(re.sub(r"\D.*", "", cell.replace(",", "")))


def python(title: str) -> Mapping[str, Callable[..., object]]:
    (source,) = re.findall(rf"<!-- python: {title} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    found: dict[str, Any] = {}
    exec(source, found)  # noqa: S102 - the page's own example
    return found


@pytest.mark.parametrize(
    ("file", "name", "shown"), EXAMPLES, ids=[f"{file}: {name}" for file, name, _ in EXAMPLES]
)
def test_an_example_of_the_page_is_a_vector(file: str, name: str, shown: str) -> None:
    written, vector = json.loads(shown), example(file, name)
    assert written == {key: vector[key] for key in written}


def test_every_json_block_of_the_page_is_an_example() -> None:
    assert PAGE.count("```json") == len(EXAMPLES) >= 10


def test_the_pages_partition_function_agrees_with_the_vectors() -> None:
    partition = python("partition")["partition"]
    for vector in load("partitions.json")["vectors"]:
        for partitions, number in vector["partition_of"].items():
            assert partition(vector["id"], int(partitions)) == number


def test_the_pages_partition_table_agrees_with_the_vectors() -> None:
    vectors = {vector["id"]: vector for vector in load("partitions.json")["vectors"]}
    rows = table("<!-- partitions -->")
    assert len(rows) >= 4
    for actor_id, *numbers in rows:
        vector = vectors[ticked(actor_id)]
        assert [int(n) for n in numbers] == [vector["crc32"], *vector["partition_of"].values()]


def test_the_pages_delay_function_agrees_with_the_vectors() -> None:
    route = python("delay")["delay_route"]
    for vector in load("routes.json")["delays"]:
        assert route(vector["seconds"]) == (vector["exchange"], vector["routing_key"])


def test_the_page_names_every_header_of_an_envelope_with_its_bound() -> None:
    rows = {ticked(name): (kind, bound) for name, kind, bound, *_ in table("## Headers")}
    full = Envelope(
        Address("Counter", "c1"), "add", sender="s", seq=1, low=1, key="k", attempt=2, deadline_ms=1,
        chain=("A/1",), traceparent="p", tracestate="t", history="[]", stream=True, reminder="r", first="f",
    )  # fmt: skip
    headers = to_wire(full).headers
    assert rows.keys() == headers.keys() | {"ba-due", "ba-relayed", "ba-schedule"}
    for name, value in headers.items():
        assert rows[name][0] == ("number" if isinstance(value, int) else "text"), name
    assert number_in(rows["ba-id"][1]) == ACTOR_ID_BYTES_MAX
    assert number_in(rows["ba-key"][1]) == envelope.KEY_BYTES_MAX
    assert number_in(rows["ba-sender"][1]) == envelope.SENDER_BYTES_MAX
    assert number_in(rows["ba-chain"][1]) == envelope.CHAIN_LENGTH_MAX
    for name in ("ba-history", "traceparent", "tracestate"):
        assert number_in(rows[name][1]) == wire.HEADER_BYTES_MAX


def test_the_page_names_every_property() -> None:
    assert {ticked(name) for name, *_ in table("## Properties")} == {*PROPERTIES, "delivery_mode"}


def test_the_page_names_the_bounds_of_a_body() -> None:
    bounds = [number_in(bound) for _, bound in table("Their bounds:")]
    assert bounds == [codec.BODY_BYTES_MAX, codec.DEPTH_MAX, codec.ITEMS_MAX]
    assert f"{delay.DELAY_SECONDS_MAX:,}" in PAGE


def test_the_page_names_every_field_of_an_error_and_every_kind() -> None:
    fields = {ticked(name): kind for name, kind, _ in table("`error` is a map:")}
    plain_error = reply.error_to_plain(errors.ErrorRecord("", "", ""))
    kinds = {str: "text", bool: "boolean", dict: "map"}
    assert fields == {name: kinds[type(value)] for name, value in plain_error.items()}
    rows = table("<!-- kinds -->")
    named = {ticked(kind) for kind, _ in rows} | set(re.findall(r"`(\w+Error)`", rows[-1][1]))
    assert named == {cls.__name__ for cls in errors._KINDS}
    business = {ticked(kind) for kind, meaning in rows if "a business error" in meaning}
    assert business | {"BusinessError"} == {cls.__name__ for cls in errors._BUSINESS.values()}


def test_the_page_names_every_header_of_a_dead_letter_and_every_reason() -> None:
    headers = {ticked(name): kind for name, kind, _ in table("## Dead letters")}
    assert headers.keys() == dead._LETTER_HEADERS | {"ba-history"}
    assert {name for name, kind in headers.items() if kind == "number"} == {"ba-died"}
    assert [ticked(reason) for reason, _ in table("<!-- reasons -->")] == [reason.value for reason in Reason]


def test_the_page_names_every_exchange_and_queue() -> None:
    rows = [(re.findall(r"`([^`]+)`", names), what) for names, what, _ in table("<!-- topology -->")]
    named = {name for names, _ in rows for name in names} | {
        f"actors.delay.{level:02}" for level in range(28)
    }
    declared = {one.name for one in topology.common() if isinstance(one, topology.Exchange | topology.Queue)}
    assert declared <= named
    general = {
        "actors.<type>.g<generation>.<partition>",
        "actors.<type>.g<generation>.id.<id>",
        "actors.dead.<type>",
    }
    assert named - declared == general
    for one in topology.common():
        if isinstance(one, topology.Exchange):
            (what,) = [w for names, w in rows if one.name in names or (names[0] < one.name <= names[-1])]
            assert one.kind in what
