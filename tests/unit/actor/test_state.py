from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from broker_actors.actor.method import method
from broker_actors.actor.spec import actor, spec_of
from broker_actors.actor.state import StateSchema
from broker_actors.core import codec
from broker_actors.core.errors import (
    ConfigurationError,
    NewerStateError,
    PayloadTooLargeError,
    StateUndecodableError,
    UndeclaredStateError,
)


class Line(BaseModel):
    sku: str
    price: Decimal


class Base:
    created: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    kept: int = 1


class Cart(Base):
    limit: ClassVar[int] = 10
    cache: ClassVar[dict[str, int]] = {}
    answer: Final = 42
    lines: dict[str, Line]
    total: Decimal = Decimal(0)
    note: str | None = None
    _client: NoSuchName  # type: ignore[name-defined]  # noqa: F821 - a private name is nobody's business

    def __init__(self) -> None:
        self.lines = {}
        self._client = object()


T = TypeVar("T")
SCHEMA = StateSchema(Cart, {})


def reloaded(schema: StateSchema, cls: type[T], instance: T) -> T:
    fresh = cls()
    schema.load(fresh, schema.dump(instance))
    return fresh


def stored(values: object, version: int = 1) -> bytes:
    return codec.encode({"v": version, "s": values})


class TestWhatIsDurable:
    def test_exactly_the_public_annotated_names_of_the_class_and_its_bases(self) -> None:
        assert SCHEMA.names == ("created", "kept", "lines", "total", "note")

    def test_a_subclass_may_make_a_durable_name_a_constant(self) -> None:
        class Fixed(Base):
            kept: ClassVar[int] = 5  # type: ignore[misc]

        assert StateSchema(Fixed, {"ClassVar": ClassVar}).names == ("created",)

    def test_values_come_back_with_their_types(self) -> None:
        cart = Cart()
        cart.lines["a"] = Line(sku="a", price=Decimal("1.50"))
        cart.total, cart.note = Decimal("1.50"), "gift"
        again = reloaded(SCHEMA, Cart, cart)
        assert again.lines == {"a": Line(sku="a", price=Decimal("1.50"))}
        assert again.total.as_tuple() == Decimal("1.50").as_tuple()
        assert (again.note, again.created, again.kept) == ("gift", cart.created, 1)

    def test_private_names_are_transient(self) -> None:
        assert b"_client" not in SCHEMA.dump(Cart())

    def test_what_is_not_set_is_not_stored_and_stays_unset(self) -> None:
        class Late:
            value: int

        schema = StateSchema(Late, {})
        assert codec.decode(schema.dump(Late())) == {"v": 1, "s": {}}
        assert not hasattr(reloaded(schema, Late, Late()), "value")

    def test_a_new_actor_keeps_what_its_constructor_made(self) -> None:
        cart = Cart()
        SCHEMA.load(cart, None)
        assert cart.lines == {}

    def test_an_attribute_older_state_lacks_has_its_default(self) -> None:
        cart = Cart()
        SCHEMA.load(cart, stored({"total": "3"}))
        assert (cart.total, cart.note, cart.lines) == (Decimal(3), None, {})

    def test_slots_work(self) -> None:
        class Slotted:
            __slots__ = ("_open", "value")
            value: int

            def __init__(self) -> None:
                self.value = 3

        slotted = Slotted()
        slotted.value = 4
        assert reloaded(StateSchema(Slotted, {}), Slotted, slotted).value == 4

    def test_dataclasses_and_their_factories_work(self) -> None:
        @dataclass(slots=True)
        class Record:
            seed: InitVar[int] = 0
            value: int = 1
            tags: list[str] = field(default_factory=list)

        schema = StateSchema(Record, {"InitVar": InitVar})
        record = Record()
        record.tags.append("a")
        assert schema.names == ("value", "tags")
        assert reloaded(schema, Record, record).tags == ["a"]
        assert Record().tags == []

    def test_equal_states_are_equal_bytes(self) -> None:
        one, two = Cart(), Cart()
        two.note, two.total = "n", Decimal(1)
        one.total, one.note = Decimal(1), "n"
        assert SCHEMA.dump(one) == SCHEMA.dump(two)

    @given(
        st.dictionaries(
            st.text(),
            st.builds(Line, sku=st.text(), price=st.decimals(allow_nan=False, allow_infinity=False)),
        )
    )
    def test_dumping_what_was_loaded_gives_the_same_bytes(self, lines: dict[str, Line]) -> None:
        cart = Cart()
        cart.lines = lines
        data = SCHEMA.dump(cart)
        assert SCHEMA.dump(reloaded(SCHEMA, Cart, cart)) == data


class TestWhatATurnMayNotLeaveBehind:
    @pytest.mark.parametrize(
        ("value", "guess"),
        [
            (5, "int"),
            ("x", "str"),
            (None, "int | None"),
            ([], "list"),
            ([1], r"list\[int\]"),
            ({"a": [1.5]}, r"dict\[str, list\[float\]\]"),
            ({b"x"}, r"set\[bytes\]"),
            (Line(sku="a", price=Decimal(1)), "Line"),
        ],
    )
    def test_an_undeclared_attribute_is_named_with_the_line_to_add(self, value: object, guess: str) -> None:
        cart = Cart()
        cast("Any", cart).extra = value
        told = rf'Cart\.extra is public .*add "extra: {guess}" to the class body, or call it _extra'
        with pytest.raises(UndeclaredStateError, match=told):
            SCHEMA.dump(cart)

    def test_a_class_constant_shadowed_by_an_instance_is_undeclared(self) -> None:
        cart = Cart()
        cast("Any", cart).limit = 20
        with pytest.raises(UndeclaredStateError, match="limit: int"):
            SCHEMA.dump(cart)

    def test_an_undeclared_slot_is_found_once_it_is_set(self) -> None:
        class Slotted:
            __slots__ = ("total", "value")
            value: int

        schema, slotted = StateSchema(Slotted, {}), Slotted()
        schema.dump(slotted)
        cast("Any", slotted).total = 1
        with pytest.raises(UndeclaredStateError, match=r"Slotted\.total .*total: int"):
            schema.dump(slotted)

    def test_one_mutable_object_under_two_names_is_refused(self) -> None:
        class Twins:
            left: list[int]
            right: list[int]

        twins = Twins()
        twins.left = twins.right = []
        with pytest.raises(ConfigurationError, match=r"Twins\.left and Twins\.right are one object"):
            StateSchema(Twins, {}).dump(twins)

    def test_one_immutable_object_under_two_names_is_fine(self) -> None:
        class Twins:
            left: tuple[int, ...]
            right: tuple[int, ...]

        twins = Twins()
        twins.left = twins.right = (1, 2)
        assert reloaded(StateSchema(Twins, {}), Twins, twins).right == (1, 2)

    def test_a_value_that_cannot_be_stored_is_named(self) -> None:
        cart = Cart()
        cart.note = cast("Any", object())
        with pytest.raises(TypeError, match=r"Cart\.note: .*type object"):
            SCHEMA.dump(cart)

    def test_a_state_over_the_limit_is_refused(self) -> None:
        cart = Cart()
        cart.note = "x" * codec.BODY_BYTES_MAX
        with pytest.raises(PayloadTooLargeError, match="state of Cart"):
            SCHEMA.dump(cart)


class TestWhatATurnCommits:
    def test_nothing_if_the_state_is_as_it_was(self) -> None:
        cart = Cart()
        before = SCHEMA.changed(cart, None)
        assert before == SCHEMA.dump(cart)
        assert SCHEMA.changed(cart, before) is None
        cart.note = "gift"
        assert SCHEMA.changed(cart, before) == SCHEMA.dump(cart)

    @pytest.mark.parametrize(
        ("name", "value"), [("kept", "many"), ("note", 5), ("total", "many"), ("lines", {"a": 1})]
    )
    def test_nothing_that_could_not_be_read_again(self, name: str, value: object) -> None:
        cart = Cart()
        setattr(cart, name, value)
        with pytest.raises(ConfigurationError, match=rf"Cart\.{name} holds something else"):
            SCHEMA.changed(cart, None)

    @given(value=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary())
    def test_a_scalar_is_refused_exactly_if_it_cannot_be_read_again(self, value: object) -> None:
        class Scalar:
            value: int | None

        schema, scalar = StateSchema(Scalar, {}), Scalar()
        scalar.value = cast("Any", value)
        try:
            data = schema.changed(scalar, None)
        except (ConfigurationError, TypeError):
            with pytest.raises((StateUndecodableError, TypeError)):
                schema.load(Scalar(), schema.dump(scalar))
        else:
            schema.load(Scalar(), data)


class TestWhatDoesNotLoad:
    def test_a_value_of_another_type_is_named_and_nothing_is_set(self) -> None:
        cart = Cart()
        with pytest.raises(StateUndecodableError, match=r"value \(str\) that .*Cart\.total: .*decimal"):
            SCHEMA.load(cart, stored({"kept": 9, "total": "many"}))
        assert cart.kept == 1

    def test_an_attribute_the_class_lost_is_named(self) -> None:
        with pytest.raises(StateUndecodableError, match=r"'coupon' \(int\) that the class does not declare"):
            SCHEMA.load(Cart(), stored({"coupon": 1}))

    def test_a_newer_version_is_told_from_damage(self) -> None:
        with pytest.raises(NewerStateError, match=r"a release with state layout 3, .*knows 2"):
            SCHEMA.load(Cart(), stored({}, version=3))

    @pytest.mark.parametrize(
        "data",
        [b"", b"\xc1", codec.encode([1]), stored([]), codec.encode({"v": 1}), stored({}, 0), stored({}, 2)],
    )
    def test_other_bytes_are_no_state(self, data: bytes) -> None:
        with pytest.raises(StateUndecodableError):
            SCHEMA.load(Cart(), data)


class TestDeclarationsThatCannotWork:
    @pytest.mark.parametrize(
        "default", [[], {}, set(), bytearray(), Line(sku="a", price=Decimal(1))], ids=repr
    )
    def test_a_mutable_class_default_is_refused(self, default: object) -> None:
        annotations = {"items": type(default)}
        cls = type("Shared", (), {"__annotations__": annotations, "items": default, "__module__": __name__})
        with pytest.raises(
            ConfigurationError, match=r"Shared\.items has a mutable default .*default_factory"
        ):
            actor(cls)

    def test_an_inherited_mutable_default_is_refused(self) -> None:
        class Parent:
            items: list[int] = []  # noqa: RUF012

        class Child(Parent): ...

        with pytest.raises(ConfigurationError, match=r"Child\.items has a mutable default"):
            actor(Child)

    def test_a_mutable_class_attribute_that_is_not_declared_is_refused(self) -> None:
        class Shared:
            items = [1]  # noqa: RUF012

        with pytest.raises(ConfigurationError, match=r'Shared\.items .*"items: list\[int\]" .*ClassVar'):
            actor(Shared)

    def test_a_property_over_state_is_refused(self) -> None:
        class Clever:
            value: int

            @property  # type: ignore[no-redef]
            def value(self) -> int:
                return 5

        with pytest.raises(
            ConfigurationError, match=r"Clever\.value is annotated as state and also a property"
        ):
            actor(Clever)

    def test_a_cached_property_over_state_is_refused(self) -> None:
        class Clever:
            value: int

            @cached_property  # type: ignore[no-redef]
            def value(self) -> int:
                return 5

        with pytest.raises(ConfigurationError, match=r"Clever\.value is annotated as state"):
            actor(Clever)

    def test_a_method_over_state_is_refused(self) -> None:
        class Clever:
            value: int

            @method  # type: ignore[no-redef]
            def value(self) -> int:
                return 5

        with pytest.raises(ConfigurationError, match=r"Clever\.value is annotated as state"):
            actor(Clever)

    def test_a_type_without_a_plain_form_is_refused(self) -> None:
        class Opaque: ...

        class Holder:
            what: Opaque

        with pytest.raises(ConfigurationError, match=r"Holder\.what: .*Opaque.*ids in place of refs"):
            actor(Holder)

    def test_an_annotation_that_does_not_resolve_is_refused(self) -> None:
        class Holder:
            what: Missing  # type: ignore[name-defined]  # noqa: F821

        with pytest.raises(ConfigurationError, match=r"Holder: its state: .*'Missing' is not defined"):
            actor(Holder)

    def test_actor_below_dataclass_is_refused(self) -> None:
        class Below:
            tags: list[str] = field(default_factory=list)

        with pytest.raises(ConfigurationError, match=r"Below\.tags: @actor goes above @dataclass"):
            actor(Below)

    def test_the_state_is_compiled_once_for_a_class(self) -> None:
        @actor
        class Plain:
            value: int = 0

        assert spec_of(Plain).state is spec_of(Plain).state
        assert spec_of(Plain).state.names == ("value",)
