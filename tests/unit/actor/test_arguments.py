from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field

from broker_actors.actor.arguments import PROBLEMS_MAX, Arguments
from broker_actors.actor.method import method
from broker_actors.actor.signature import compiled
from broker_actors.actor.spec import actor
from broker_actors.core.codec import encode
from broker_actors.core.errors import ConfigurationError, InvalidArgumentsError, UndecodableError


class Color(Enum):
    RED = "red"


class Item(BaseModel):
    name: str
    price: Decimal = Field(alias="unitPrice")


class Node(BaseModel):
    child: Node | None = None


class Shop:
    def increment(self, n: int = 1) -> int: ...  # type: ignore[empty-body]

    def order(self, item: Item, *more: int, at: datetime, **notes: str) -> Item: ...  # type: ignore[empty-body]

    def tree(self, left: Node, right: Node) -> list[Node]: ...  # type: ignore[empty-body]

    def only(self, n: int, /, *, flag: bool = False) -> None: ...

    def loose(self, anything, other=None): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201

    async def later(self) -> date: ...  # type: ignore[empty-body]

    async def stream(self) -> AsyncIterator[date]:
        yield date.min

    def generate(self) -> Iterator[date]:
        yield date.min


def arguments(name: str) -> Arguments:
    return compiled(f"Shop.{name}", getattr(Shop, name), {}).arguments


class TestWhatAWorkerValidates:
    def test_defaults_are_filled_in_and_plain_values_converted(self) -> None:
        validate = arguments("increment").validate
        assert validate([], {}) == ((), {"n": 1})
        assert validate(["5"], {}) == ((5,), {})
        assert validate((), {"n": 7}) == ((), {"n": 7})

    def test_every_kind_of_parameter_is_bound(self) -> None:
        args, kwargs = arguments("order").validate(
            [{"name": "tea", "unitPrice": "1.50"}, "2", 3], {"at": "2024-02-29T12:00:00+01:00", "why": "gift"}
        )
        item = args[0]
        assert isinstance(item, Item)
        assert item.price.as_tuple() == Decimal("1.50").as_tuple()
        assert args[1:] == (2, 3)
        assert kwargs == {"at": datetime.fromisoformat("2024-02-29T12:00:00+01:00"), "why": "gift"}

    def test_positional_only_and_keyword_only_parameters_stay_that(self) -> None:
        only = arguments("only")
        assert only.validate([1], {"flag": True}) == ((1,), {"flag": True})
        with pytest.raises(InvalidArgumentsError):
            only.validate([1, True], {})
        with pytest.raises(InvalidArgumentsError):
            only.validate([], {"n": 1})

    def test_a_recursive_type_may_be_used_twice(self) -> None:
        args, _ = arguments("tree").validate([{"child": {"child": None}}, {}], {})
        assert args == (Node(child=Node()), Node())

    def test_parameters_without_annotations_take_plain_values_as_they_are(self) -> None:
        given = {"a": [1, b"x", None]}
        args, kwargs = arguments("loose").validate([given], {})
        assert args[0] is given
        assert kwargs == {"other": None}

    def test_a_model_is_accepted_by_field_name_and_by_alias(self) -> None:
        at = {"at": "2024-01-01T00:00:00"}
        by_alias = arguments("order").validate([{"name": "tea", "unitPrice": 1}], at)
        by_name = arguments("order").validate([{"name": "tea", "price": 1}], at)
        assert by_alias == by_name


class TestWhatAWorkerRefuses:
    @pytest.mark.parametrize(
        ("args", "kwargs", "told"),
        [
            (["five"], {}, r"Shop\.increment: n: .*valid integer"),
            ([1, 2], {}, r"argument 2: Unexpected positional"),
            ([1], {"n": 2}, r"n: Got multiple values"),
            ([], {"m": 2}, r"m: Unexpected keyword"),
        ],
    )
    def test_the_refusal_names_the_method_and_the_argument(
        self, args: list[object], kwargs: dict[str, object], told: str
    ) -> None:
        with pytest.raises(InvalidArgumentsError, match=told) as refusal:
            arguments("increment").validate(args, kwargs)
        assert refusal.value.code == "invalid_arguments"

    def test_a_missing_argument_is_named(self) -> None:
        with pytest.raises(InvalidArgumentsError, match=r"item: Missing.*; at: Missing"):
            arguments("order").validate([], {})

    def test_a_problem_deep_inside_has_its_path(self) -> None:
        with pytest.raises(InvalidArgumentsError, match=r"left\.child\.child: ") as refusal:
            arguments("tree").validate([{"child": {"child": 5}}, {}], {})
        problems = refusal.value.details["problems"]
        assert isinstance(problems, list)
        assert problems[0]["path"] == "left.child.child"

    def test_details_are_plain_and_do_not_repeat_the_input(self) -> None:
        with pytest.raises(InvalidArgumentsError) as refusal:
            arguments("increment").validate(["hunter2"], {})
        assert b"hunter2" not in encode(refusal.value.details)
        assert "hunter2" not in str(refusal.value)

    def test_a_flood_of_problems_is_cut(self) -> None:
        with pytest.raises(InvalidArgumentsError, match="; and 89 more") as refusal:
            arguments("order").validate([{"name": "tea", "price": 1}, *["x"] * 99], {"at": "2024-01-01"})
        problems = refusal.value.details["problems"]
        assert isinstance(problems, list)
        assert len(problems) == PROBLEMS_MAX

    def test_a_refusal_by_a_users_validator_is_one_too(self) -> None:
        def even(n: int) -> int:
            if n % 2:
                text = "odd"
                raise ValueError(text)
            return n

        def f(self: object, n: Annotated[int, AfterValidator(even)]) -> None: ...

        with pytest.raises(InvalidArgumentsError, match="n: Value error, odd"):
            compiled("T.f", f, {"even": even, "Annotated": Annotated}).arguments.validate([3], {})

    @given(
        st.lists(
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=5,
            ),
            max_size=3,
        ),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers() | st.text(), max_size=3),
    )
    @example(args=["red", {"1": "2.5"}], kwargs={"c": "2026-03-01T12:00:00Z"})
    @example(args=["12345678-1234-5678-1234-567812345678", {}], kwargs={"c": None})
    def test_whatever_arrives_is_converted_or_refused(
        self, args: list[object], kwargs: dict[str, object]
    ) -> None:
        try:
            bound, named = TYPED.validate(args, kwargs)
        except InvalidArgumentsError as refusal:
            encode(refusal.details)
        else:
            values = {**dict(zip("abc", bound, strict=False)), **named}
            assert isinstance(values["a"], UUID | Color)
            assert isinstance(values["b"], dict)
            assert isinstance(values["c"], datetime | None)


def _typed(self: object, a: UUID | Color, b: dict[int, Decimal], c: datetime | None = None) -> None: ...


TYPED = compiled("T.typed", _typed, {}).arguments


class TestWhatACallerChecks:
    def test_binding_accepts_any_types_and_leaves_them_to_the_worker(self) -> None:
        increment = arguments("increment")
        increment.bind(["not a number"], {})
        with pytest.raises(InvalidArgumentsError, match="n: Input should be a valid integer"):
            increment.validate(["not a number"], {})

    @pytest.mark.parametrize(("args", "kwargs"), [([1, 2], {}), ([], {"m": 1}), ([1], {"n": 1})])
    def test_what_the_signature_does_not_take_is_refused(
        self, args: list[object], kwargs: dict[str, object]
    ) -> None:
        with pytest.raises(InvalidArgumentsError, match=r"Shop\.increment"):
            arguments("increment").bind(args, kwargs)

    def test_what_is_missing_is_refused(self) -> None:
        with pytest.raises(InvalidArgumentsError, match="at: Missing"):
            arguments("order").bind([Item(name="tea", unitPrice=Decimal(1))], {})


class TestResults:
    def test_a_result_becomes_the_declared_type(self) -> None:
        nodes = arguments("tree").convert_result([{"child": None}])
        assert nodes == [Node()]

    @pytest.mark.parametrize("name", ["later", "stream", "generate"])
    def test_async_and_streamed_results_have_the_type_inside(self, name: str) -> None:
        assert arguments(name).convert_result("2024-02-29") == date(2024, 2, 29)

    def test_an_undeclared_result_stays_plain(self) -> None:
        assert arguments("loose").convert_result({"a": b"x"}) == {"a": b"x"}

    def test_another_type_than_declared_is_undecodable(self) -> None:
        with pytest.raises(UndecodableError, match=r"Shop\.increment answered .*valid integer"):
            arguments("increment").convert_result("many")


class TestDeclarations:
    def test_an_annotation_that_does_not_resolve_is_refused_by_method(self) -> None:
        class Broken:
            @method
            def work(self, what: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

        with pytest.raises(ConfigurationError, match=r"Broken\.work: .*'Missing' is not defined"):
            actor(Broken)

    def test_a_type_without_a_plain_form_is_refused_by_parameter(self) -> None:
        class Opaque: ...

        class Broken:
            @method
            def work(self, n: int, what: Opaque) -> None: ...

        with pytest.raises(ConfigurationError, match=r"Broken\.work: its parameter what: .*Opaque"):
            actor(Broken)

    def test_a_result_without_a_plain_form_is_refused(self) -> None:
        class Opaque: ...

        class Broken:
            @method
            def work(self) -> Opaque: ...  # type: ignore[empty-body]

        with pytest.raises(ConfigurationError, match=r"Broken\.work: its result: .*Opaque"):
            actor(Broken)

    def test_types_of_the_function_around_the_class_resolve(self) -> None:
        class Local(BaseModel):
            n: int

        @actor
        class Uses:
            @method
            def work(self, what: Local) -> Local:
                return what

        assert Uses.work.arguments.validate([{"n": 1}], {}) == ((Local(n=1),), {})
        assert Uses.work.arguments.convert_result({"n": 2}) == Local(n=2)

    def test_a_method_without_self_is_refused(self) -> None:
        def f() -> None: ...

        function: Callable[..., Any] = f
        with pytest.raises(ConfigurationError, match=r"T\.f needs `self`"):
            compiled("T.f", function, {})
