from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import FrozenInstanceError, dataclass
from datetime import timedelta
from typing import cast

import pytest

from broker_actors.actor.method import method
from broker_actors.actor.options import Codec, Options, OptionsGiven
from broker_actors.actor.ref import Ref
from broker_actors.actor.spec import actor, is_actor, spec_of
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.retry import Retry
from broker_actors.core.supervision import Restarts
from broker_actors.core.topology import Layout


@actor
class Bare:
    value: int = 0

    @method
    def get(self) -> int:
        return self.value

    def helper(self) -> None: ...


def decorated(**options: object) -> Options:
    class Counter: ...

    return spec_of(actor(**cast("OptionsGiven", options))(Counter)).options


class TestASpec:
    def test_a_bare_decorator_takes_the_defaults(self) -> None:
        spec = spec_of(Bare)
        assert spec.type == "Bare"
        assert spec.cls is Bare
        assert spec.options == Options()
        assert spec.layout == Layout("Bare", 1, 8)
        assert spec.durable

    def test_methods_are_the_decorated_functions_only(self) -> None:
        assert dict(spec_of(Bare).methods) == {"get": Bare.get}

    def test_a_spec_does_not_change(self) -> None:
        with pytest.raises(FrozenInstanceError):
            spec_of(Bare).type = "Other"  # type: ignore[misc]
        with pytest.raises(TypeError):
            spec_of(Bare).methods["more"] = Bare.get  # type: ignore[index]

    def test_every_option_arrives(self) -> None:
        options = decorated(
            partitions=3,
            generation=2,
            idle_timeout=timedelta(minutes=2),
            delivery="at_least_once",
            on_failure="block",
            retry=Retry(attempts=1),
            max_restarts=0,
            min_backoff=1,
            max_backoff=timedelta(seconds=2),
            restart_window=timedelta(minutes=1, seconds=1),
            codec="json",
            key_retention=timedelta(days=2, milliseconds=1),
            name="Tally",
            state_version=4,
        )
        assert options == Options(
            name="Tally",
            partitions=3,
            generation=2,
            idle_timeout_seconds=120.0,
            delivery="at_least_once",
            on_failure="block",
            retry=Retry(attempts=1),
            max_restarts=0,
            min_backoff_seconds=1.0,
            max_backoff_seconds=2.0,
            restart_window_seconds=61.0,
            codec="json",
            key_retention_seconds=172_801,
            state_version=4,
        )

    def test_faults_are_counted_by_those_that_restart_on_failure(self) -> None:
        assert decorated(max_restarts=3).restarts is None
        given = decorated(restart_policy="on_failure", max_restarts=3, restart_window=9, max_backoff=8)
        assert given.restarts == Restarts(3, 9.0, 0.2, 8.0)

    def test_the_name_and_the_layout_follow_the_options(self) -> None:
        @actor(name="Tally", partitions=3, generation=2)
        class Counter: ...

        assert spec_of(Counter).type == "Tally"
        assert spec_of(Counter).layout == Layout("Tally", 2, 3)

    def test_a_dedicated_type_has_no_partitions(self) -> None:
        @actor(mailbox="dedicated")
        class Lamp: ...

        assert spec_of(Lamp).layout.dedicated

    def test_at_least_once_does_not_commit(self) -> None:
        @actor(delivery="at_least_once")
        class Echo:
            _seen: int = 0

        assert not spec_of(Echo).durable

    @pytest.mark.parametrize(("codec", "content_type"), [(None, ""), ("msgpack", MSGPACK), ("json", JSON)])
    def test_the_codec_is_the_callers_unless_given(self, codec: Codec | None, content_type: str) -> None:
        assert Options(codec=codec).content_type == content_type

    def test_messages_of_bases_and_mixins_are_messages(self) -> None:
        class Pinging:
            @method
            def ping(self) -> str:
                return "pong"

        @actor
        class Both(Bare, Pinging): ...

        assert set(spec_of(Both).methods) == {"get", "ping"}
        assert spec_of(Both).state.names == ("value",)


class TestWhoIsAnActor:
    def test_an_undecorated_class_is_none(self) -> None:
        class Plain: ...

        assert not is_actor(Plain)
        with pytest.raises(ConfigurationError, match="Plain is no actor class: decorate it with @actor"):
            spec_of(Plain)

    def test_a_subclass_is_none_until_it_is_decorated_itself(self) -> None:
        class Sub(Bare): ...

        assert not is_actor(Sub)
        with pytest.raises(ConfigurationError, match="Sub is no actor"):
            spec_of(Sub)

    def test_a_decorator_above_that_replaces_the_class_is_found_out(self) -> None:
        @dataclass(slots=True)
        @actor
        class Replaced:
            value: int = 0

        with pytest.raises(ConfigurationError, match="Replaced: @actor goes above"):
            spec_of(Replaced)


class TestOptionsThatCannotBe:
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("partitions", 0),
            ("partitions", 1025),
            ("partitions", True),
            ("partitions", 2.0),
            ("generation", 0),
            ("max_restarts", -1),
            ("max_restarts", 10_001),
            ("max_backoff", 301),
            ("restart_window", 0),
            ("restart_window", timedelta(days=367)),
            ("mailbox", "private"),
            ("mailbox", ["shared"]),
            ("delivery", "exactly_once"),
            ("on_failure", "stop"),
            ("restart_policy", "always"),
            ("codec", "pickle"),
            ("idle_timeout", -1),
            ("key_retention", float("nan")),
            ("key_retention", 0),
            ("key_retention", 1e12),
            ("min_backoff", "1"),
            ("retry", 5),
            ("name", 5),
        ],
    )
    def test_the_class_and_the_option_are_named(self, option: str, value: object) -> None:
        with pytest.raises(ConfigurationError, match=rf"Counter: {option}="):
            decorated(**{option: value})

    def test_an_unknown_option_is_answered_with_the_known_ones(self) -> None:
        with pytest.raises(
            ConfigurationError, match=r"Counter: @actor has no option 'partition'; .*partitions"
        ):
            decorated(partition=4)

    def test_who_has_no_store_cannot_be_suspended(self) -> None:
        with pytest.raises(ConfigurationError, match="restart_policy='on_failure' must be 'never' with"):
            decorated(restart_policy="on_failure", delivery="at_least_once")

    def test_backoffs_must_be_in_order(self) -> None:
        with pytest.raises(ConfigurationError, match=r"min_backoff=20\.0 must be at most max_backoff=10\.0"):
            decorated(min_backoff=20)

    def test_partitions_of_dedicated_mailboxes_make_no_sense(self) -> None:
        with pytest.raises(ConfigurationError, match="partitions=8 must be left out"):
            decorated(mailbox="dedicated", partitions=8)

    def test_a_type_name_must_be_an_identifier(self) -> None:
        with pytest.raises(ConfigurationError, match="'my-actor'"):
            decorated(name="my-actor")

    def test_state_without_a_store_is_refused(self) -> None:
        class Echo:
            seen: int = 0

        with pytest.raises(ConfigurationError, match=r"Echo: delivery='at_least_once' keeps no state.*_seen"):
            actor(delivery="at_least_once")(Echo)


class TestClassesThatCannotBeActors:
    def test_a_constructor_with_required_arguments_is_refused(self) -> None:
        class Needy:
            def __init__(self, url: str) -> None: ...

        with pytest.raises(ConfigurationError, match=r"Needy\.__init__ must work without arguments.*url"):
            actor(Needy)

    def test_a_constructor_with_defaults_is_fine(self) -> None:
        class Relaxed:
            def __init__(self, url: str = "") -> None: ...

        assert is_actor(actor(Relaxed))

    def test_an_abstract_class_is_refused(self) -> None:
        class Shape(ABC):
            @abstractmethod
            def area(self) -> float: ...

        with pytest.raises(ConfigurationError, match="Shape is abstract"):
            actor(Shape)  # type: ignore[type-abstract]

    def test_a_frozen_dataclass_is_refused(self) -> None:
        @dataclass(frozen=True)
        class Still:
            value: int = 0

        with pytest.raises(ConfigurationError, match="Still is a frozen dataclass"):
            actor(Still)

    def test_a_ref_is_refused(self) -> None:
        class Cart(Ref): ...

        with pytest.raises(ConfigurationError, match="Cart is a ref"):
            actor(Cart)

    @pytest.mark.parametrize("name", ["ask", "with_options", "address", "actor_id"])
    def test_a_message_cannot_have_the_name_of_something_every_ref_has(self, name: str) -> None:
        def body(self: object) -> None: ...

        body.__name__ = name
        with pytest.raises(ConfigurationError, match=rf"Taken\.{name}: every ref has"):
            actor(type("Taken", (), {name: method(body)}))

    def test_a_private_message_is_refused(self) -> None:
        class Shy:
            @method
            def _work(self) -> None: ...

        with pytest.raises(ConfigurationError, match=r"Shy\._work: a message needs a public name"):
            actor(Shy)

    def test_a_hook_cannot_be_a_message(self) -> None:
        class Eager:
            @method
            async def activate(self) -> None: ...

        with pytest.raises(ConfigurationError, match=r"Eager\.activate is a hook"):
            actor(Eager)

    def test_a_hook_takes_no_arguments(self) -> None:
        class Eager:
            async def deactivate(self, reason: str) -> None: ...

        with pytest.raises(ConfigurationError, match=r"define it as `async def deactivate\(self\)`"):
            actor(Eager)

    def test_an_override_without_its_decorator_is_refused(self) -> None:
        class Sub(Bare):
            def get(self) -> int:
                return 5

        with pytest.raises(
            ConfigurationError, match=r"Sub\.get overrides a message: decorate it with @method too"
        ):
            actor(Sub)

    def test_one_function_cannot_be_two_messages(self) -> None:
        class Double:
            @method
            def work(self) -> None: ...

            again = work

        with pytest.raises(ConfigurationError, match=r"Double\.again is a function named 'work'"):
            actor(Double)
