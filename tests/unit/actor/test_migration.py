from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.actor.method import method
from broker_actors.actor.options import OptionsGiven, options_of
from broker_actors.actor.spec import actor, spec_of
from broker_actors.actor.state import StateSchema
from broker_actors.core import codec
from broker_actors.core.errors import (
    ConfigurationError,
    NewerStateError,
    Plain,
    StateUndecodableError,
    UndecodableError,
)
from broker_actors.core.stored import LAYOUT_MAX, NewerLayout, Stored, pack, unpack
from tests.unit.core import strategies as some


class Old:
    euros: float = 1.5
    customer: str = "ada"


class New:
    amount: Decimal = Decimal(0)
    customer: str = ""
    seen: ClassVar[list[int]] = []

    @classmethod
    def migrate(cls, state: dict[str, Plain], version: int) -> dict[str, Plain]:
        cls.seen.append(version)
        if version < 3:
            state["amount"] = str(state.pop("euros"))
        return state


OLD = StateSchema(Old, {})
NEW = StateSchema(New, {"ClassVar": ClassVar}, 3)


def loaded(data: bytes) -> New:
    new = New()
    NEW.load(new, data)
    return new


def failing(result: object) -> type:
    """Return a class whose `migrate` returns *result*, or raises it."""

    class Failing:
        customer: str = ""

        @classmethod
        def migrate(cls, state: dict[str, Plain], version: int) -> object:
            del state, version
            if isinstance(result, Exception):
                raise result
            return result

    return Failing


class TestMigrating:
    def test_an_old_state_is_migrated_and_then_decoded_by_the_annotations(self) -> None:
        new = loaded(OLD.dump(Old()))
        assert (new.amount, new.customer) == (Decimal("1.5"), "ada")

    def test_the_hook_is_told_which_version_wrote_the_state(self) -> None:
        New.seen.clear()
        loaded(OLD.dump(Old()))
        loaded(codec.encode({"v": 2, "n": 2, "s": {"euros": 2.0}}))
        assert New.seen == [1, 2]

    def test_a_state_of_this_version_is_not_migrated(self) -> None:
        New.seen.clear()
        assert loaded(NEW.dump(New())).amount == 0
        assert New.seen == []

    def test_what_is_written_after_that_is_of_the_new_version(self) -> None:
        assert unpack(NEW.dump(New())) == Stored(3, {"amount": "0", "customer": ""})

    def test_without_a_hook_an_old_state_is_read_as_it_is(self) -> None:
        schema, old = StateSchema(Old, {}, 2), Old()
        old.customer = "bob"
        again = Old()
        schema.load(again, OLD.dump(old))
        assert again.customer == "bob"

    def test_what_the_hook_leaves_over_does_not_vanish(self) -> None:
        with pytest.raises(
            StateUndecodableError, match=r"attribute 'euros' \(float\) that the class does not"
        ):
            StateSchema(failing({"euros": 1.0}), {}, 2).load(Old(), OLD.dump(Old()))

    @pytest.mark.parametrize(
        ("result", "said"),
        [(KeyError("euros"), r"version 1, raised KeyError: 'euros'"), (None, "returned a NoneType")],
        ids=str,
    )
    def test_a_hook_that_fails_is_named(self, result: object, said: str) -> None:
        with pytest.raises(StateUndecodableError, match=rf"Failing\.migrate, .*{said}"):
            StateSchema(failing(result), {}, 2).load(Old(), OLD.dump(Old()))

    def test_the_stored_bytes_of_a_newer_version_are_refused(self) -> None:
        with pytest.raises(NewerStateError, match=r"version 3 of Old, and this worker knows 1: deploy"):
            OLD.load(Old(), NEW.dump(New()))


class TestDeclaring:
    def test_a_hook_that_is_no_classmethod_is_refused(self) -> None:
        class Wrong:
            def migrate(self, state: dict[str, Plain], version: int) -> dict[str, Plain]:
                del version
                return state

        with pytest.raises(
            ConfigurationError, match=r"Wrong\.migrate .*@classmethod def migrate\(cls, state"
        ):
            StateSchema(Wrong, {}, 2)

    def test_a_hook_that_takes_something_else_is_refused(self) -> None:
        class Wrong:
            @classmethod
            def migrate(cls, state: dict[str, Plain]) -> dict[str, Plain]:
                return state

        with pytest.raises(ConfigurationError, match=r"Wrong\.migrate is the platform's hook"):
            StateSchema(Wrong, {}, 2)

    def test_a_message_cannot_be_called_like_the_hook(self) -> None:
        class Wrong:
            @method
            def migrate(self) -> None: ...

        with pytest.raises(ConfigurationError, match=r"Wrong\.migrate is the platform's hook"):
            actor(Wrong)

    def test_a_hook_without_a_version_to_migrate_to_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"never be called: say @actor\(state_version=2\)"):
            actor(New)

    @pytest.mark.parametrize("version", [0, -1, True, 2**31, "2"])
    def test_a_version_is_a_whole_number_from_1(self, version: object) -> None:
        with pytest.raises(ConfigurationError, match="state_version"):
            options_of("Old", cast("OptionsGiven", {"state_version": version}))

    def test_the_version_of_an_actor_is_that_of_its_state(self) -> None:
        @actor(state_version=7)
        class Seven(Old):
            pass

        assert unpack(spec_of(Seven).state.dump(Seven())) == Stored(7, {"euros": 1.5, "customer": "ada"})


class TestLayouts:
    @given(st.integers(1, 2**31 - 1), st.dictionaries(st.text(), some.plain_values, max_size=4))
    def test_what_is_packed_is_unpacked(self, version: int, values: dict[str, Plain]) -> None:
        data = pack(values, version, simplify=codec.refuse, what="state")
        found = unpack(data)
        assert found == Stored(version, codec.decode_map(codec.encode(values)))

    def test_a_state_of_version_1_is_in_the_layout_everybody_knows(self) -> None:
        assert codec.decode(pack({"a": 1}, 1, simplify=codec.refuse, what="state")) == {"v": 1, "s": {"a": 1}}

    @given(st.integers(LAYOUT_MAX + 1, 2**40))
    def test_a_newer_layout_is_told_from_damage(self, layout: int) -> None:
        assert unpack(codec.encode({"v": layout})) == NewerLayout(layout)

    @given(st.binary(max_size=64))
    def test_any_other_bytes_are_no_state(self, data: bytes) -> None:
        with pytest.raises(UndecodableError):
            unpack(data)
