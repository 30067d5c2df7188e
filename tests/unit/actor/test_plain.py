"""What travels comes back: every supported type, through both encodings, as argument, result and state."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, RootModel, computed_field

from broker_actors.actor.arguments import Arguments
from broker_actors.actor.plain import simplify
from broker_actors.actor.untyped import make_untyped_ref
from broker_actors.core import body, codec, reply
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import InvalidArgumentsError
from broker_actors.core.reply import of_result
from tests.unit.actor.fakes import RecordingCaller

both = pytest.mark.parametrize("content_type", [MSGPACK, JSON])

CODECS = [MSGPACK, JSON]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Corner(Enum):
    TOP_LEFT = (0, 0)


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Unit(StrEnum):
    METRE = "m"
    SECOND = "s"


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Line:
    sku: UUID
    amount: Decimal
    at: datetime | None = None
    tags: set[str] = field(default_factory=set)


@dataclass
class Basket:
    count: int
    doubled: int = field(init=False)

    def __post_init__(self) -> None:
        self.doubled = 2 * self.count


@dataclass(frozen=True, slots=True)
class Frozen:
    line: tuple[int, str]


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(alias="itemName")
    lines: list[Line] = []
    parent: Item | None = None
    blob: bytes = b""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def size(self) -> int:
        return len(self.lines)


class Names(RootModel[list[str]]): ...


def carried(hint: object, value: object, content_type: str) -> object:
    """Return *value* as the worker's method sees it, having checked that a result does the same."""

    def f(self: object, x: object) -> object:
        raise NotImplementedError

    arguments = Arguments("T.f", f, {"x": hint}, hint)
    data = body.encode([value], {}, content_type, simplify=simplify)
    (there,), _ = arguments.validate(*body.decode(data, content_type))
    back = arguments.convert_result(reply.read(of_result(there, content_type, simplify=simplify)))
    assert back == there
    return there


LINE = Line(UUID(int=7), Decimal("1.50"), datetime(2024, 2, 29, 12, tzinfo=UTC), {"b", "a"})

EXAMPLES = [
    (int, -(2**63)),
    (float, 0.1),
    (bool, True),
    (str, "größer \0"),
    (bytes, b"\x00\xff"),
    (int | None, None),
    (int | str, "5"),
    (int | str, 5),
    (bytes | str, b"x"),
    (datetime, datetime(2024, 2, 29, 12, 30, 1, 500_000, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))),
    (datetime, datetime(2024, 2, 29, 12, 30, 1)),  # noqa: DTZ001 - a naive one must stay naive
    (date, date(2024, 2, 29)),
    (time, time(12, 30, 1, 5)),
    (timedelta, timedelta(days=-1, microseconds=1)),
    (UUID, UUID(int=7)),
    (Decimal, Decimal("0.10")),
    (Color, Color.BLUE),
    (Level, Level.HIGH),
    (Unit, Unit.SECOND),
    (Path, Path("a/b.txt")),
    (PurePosixPath, PurePosixPath("/etc")),
    (IPv4Address, IPv4Address("127.0.0.1")),
    (AnyUrl, AnyUrl("https://example.org/a?b=c")),
    (set[int], {3, 1, 2}),
    (frozenset[UUID], frozenset({UUID(int=1), UUID(int=2)})),
    (tuple[int, str, date], (1, "a", date(2024, 1, 1))),
    (tuple[UUID, ...], (UUID(int=1), UUID(int=2))),
    (dict[int, str], {1: "a", -5: "b"}),
    (dict[UUID, Decimal], {UUID(int=1): Decimal("1.0")}),
    (dict[str, dict[str, bytes]], {"a": {"b": b"\xff"}}),
    (dict[Unit, Level], {Unit.METRE: Level.LOW}),
    (Point, Point(1, 2)),
    (Line, LINE),
    (Basket, Basket(3)),
    (Frozen, Frozen((1, "a"))),
    (list[Frozen] | None, [Frozen((1, "a"))]),
    (Item, Item(itemName="x", lines=[LINE], parent=Item(itemName="y"), blob=b"\xfe")),
    (dict[str, list[Item]], {"a": [Item(itemName="x")], "b": []}),
    (Names, Names(["a"])),
    (Color | Line, LINE),
]


@pytest.mark.parametrize("content_type", CODECS)
@pytest.mark.parametrize(("hint", "value"), EXAMPLES, ids=lambda example: str(example)[:60])
def test_a_value_comes_back_as_its_declared_type(hint: object, value: object, content_type: str) -> None:
    there = carried(hint, value, content_type)
    assert there == value
    assert type(there) is type(value)


def test_decimals_keep_their_digits() -> None:
    assert cast("Decimal", carried(Decimal, Decimal("1.500"), JSON)).as_tuple() == Decimal("1.500").as_tuple()


def test_an_aware_datetime_stays_the_same_moment_and_aware() -> None:
    # Until 1937 Amsterdam was 19 minutes and 32 seconds ahead, an offset ISO 8601 cannot write.
    moment = datetime(1930, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam"))
    there = cast("datetime", carried(datetime, moment, MSGPACK))
    assert there.tzinfo is not None
    assert there == moment


@pytest.mark.parametrize("content_type", CODECS)
class TestAnyValue:
    @given(
        value=st.datetimes(
            timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=45)))
        )
    )
    def test_datetimes(self, content_type: str, value: datetime) -> None:
        assert carried(datetime, value, content_type) == value

    @given(value=st.timedeltas())
    def test_timedeltas(self, content_type: str, value: timedelta) -> None:
        assert carried(timedelta, value, content_type) == value

    @given(value=st.decimals(allow_nan=False, allow_infinity=False))
    def test_decimals(self, content_type: str, value: Decimal) -> None:
        assert cast("Decimal", carried(Decimal, value, content_type)).as_tuple() == value.as_tuple()

    @given(value=st.sets(st.text()))
    def test_sets(self, content_type: str, value: set[str]) -> None:
        assert carried(set[str], value, content_type) == value

    @given(
        value=st.dictionaries(
            st.integers(min_value=-(2**63), max_value=2**63),
            st.lists(st.tuples(st.uuids(), st.none() | st.dates(), st.binary()), max_size=3),
            max_size=3,
        )
    )
    def test_containers(
        self, content_type: str, value: dict[int, list[tuple[UUID, date | None, bytes]]]
    ) -> None:
        assert carried(dict[int, list[tuple[UUID, date | None, bytes]]], value, content_type) == value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Corner.TOP_LEFT, r"Corner\.TOP_LEFT .*\(0, 0\) is not a plain one"),
        (object(), "type object .*dataclass or a pydantic model"),
        (Decimal("NaN"), "NaN"),
        (Decimal("-Infinity"), "Infinity"),
        (len, "forgotten call"),
        (iter([]), "forgotten call, await or loop"),
        (Line, "type .*forgotten call"),
        (make_untyped_ref("Counter", "c1", RecordingCaller()), r"Counter/c1 is a ref: send its id"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_has_no_plain_form_is_refused_with_advice(value: object, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        simplify(value)


def test_a_forgotten_await_is_named() -> None:
    async def work() -> None: ...

    coroutine = work()
    with pytest.raises(TypeError, match=r"coroutine .*forgotten"):
        simplify(coroutine)
    coroutine.close()


def test_a_computed_field_is_not_sent() -> None:
    assert cast("dict[str, Any]", simplify(Item(itemName="x"))).keys() == {"name", "lines", "parent", "blob"}


def test_equal_sets_are_written_in_the_same_order() -> None:
    # 0 and 8 collide in a small set, so that each keeps its own order, as texts do in different processes.
    one, other = set([0, 8]), set([8, 0])  # noqa: C405 - a literal of constants might be built in advance
    assert list(one) != list(other)
    assert simplify(one) == simplify(other)


def test_a_set_of_different_types_has_an_order_too() -> None:
    assert simplify({"a", 1, (2, "x"), UUID(int=5)}) == simplify({UUID(int=5), (2, "x"), 1, "a"})


def test_subclasses_of_plain_types_are_plain() -> None:
    pair = namedtuple("pair", "a b")  # noqa: PYI024 - the untyped one must work too
    assert codec.decode(codec.encode(pair(1, Level.HIGH), simplify=simplify)) == [1, 2]


@both
@pytest.mark.parametrize("number", [2**80, 2**64, -(2**63) - 1])
def test_an_integer_beyond_64_bits_is_refused_with_what_to_do(content_type: str, number: int) -> None:
    with pytest.raises(InvalidArgumentsError, match=r"an integer beyond 64 bits cannot be sent.* as text"):
        body.encode([number], {}, content_type, simplify=simplify)
