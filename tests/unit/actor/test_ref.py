from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, cast

import pytest

from broker_actors.actor.handle import RESERVED_NAMES
from broker_actors.actor.method import method
from broker_actors.actor.plain import simplify
from broker_actors.actor.ref import Ref, make_ref
from broker_actors.actor.spec import actor
from broker_actors.actor.untyped import make_untyped_ref
from broker_actors.core.address import Address
from broker_actors.core.envelope import JSON, KEY_CHARACTERS_MAX
from broker_actors.core.errors import ConfigurationError, InvalidArgumentsError, UndecodableError
from broker_actors.core.topology import Layout
from broker_actors.ports.calling import Call, CallOptions, When
from tests.unit.actor.fakes import RecordingCaller

NEW_YEAR = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=1)))


@actor(partitions=3, generation=2, codec="json")
class Counter:
    value: int = 0
    unset: str

    @method
    def increment(self, n: int = 1) -> int:
        text = f"the code of an actor ran on a ref, with {n}"
        raise AssertionError(text)

    @method
    async def born(self) -> date:
        raise NotImplementedError

    @method
    async def tokens(self, prompt: str) -> AsyncIterator[str]:
        yield prompt

    def helper(self) -> None: ...

    def _secret(self) -> None: ...


class CounterRef(Counter, Ref): ...


class Cart(Ref):
    """A contract."""

    @method
    async def add(self, sku: str, *, amount: int = 1) -> int:
        raise NotImplementedError


@pytest.fixture
def caller() -> RecordingCaller:
    return RecordingCaller(answer=7)


@pytest.fixture
def counter(caller: RecordingCaller) -> CounterRef:
    return make_ref(CounterRef, "c1", caller)


class TestACall:
    async def test_an_ask_sends_the_call_and_converts_the_answer(self, caller: RecordingCaller) -> None:
        caller.answer = "2024-02-29"
        assert await make_ref(CounterRef, "c1", caller).born() == date(2024, 2, 29)

    async def test_a_call_carries_the_arguments_as_given_and_what_the_class_declares(
        self, caller: RecordingCaller, counter: CounterRef
    ) -> None:
        assert await counter.increment(n=5) == 7
        assert caller.asked == [
            Call(
                Address("Counter", "c1"),
                "increment",
                (),
                {"n": 5},
                CallOptions(content_type=JSON),
                Layout("Counter", 2, 3),
                simplify,
            )
        ]

    async def test_defaults_are_left_to_the_actor(self, caller: RecordingCaller, counter: CounterRef) -> None:
        await counter.increment()
        assert (caller.asked[0].args, caller.asked[0].kwargs) == ((), {})

    async def test_an_ask_is_a_coroutine_and_can_be_a_task(self, counter: CounterRef) -> None:
        assert await asyncio.create_task(counter.increment()) == 7

    async def test_an_ask_may_name_the_method_itself(
        self, caller: RecordingCaller, counter: CounterRef
    ) -> None:
        assert await counter.ask(Counter.increment, 5) == 7
        assert caller.asked[0].args == (5,)

    async def test_an_ask_by_a_method_of_another_actor_is_refused(self, counter: CounterRef) -> None:
        with pytest.raises(AttributeError, match="Counter has no method 'add'"):
            await counter.ask(Cart.add, "tea")

    async def test_a_tell_sends_one_way(self, caller: RecordingCaller, counter: CounterRef) -> None:
        await counter.increment.tell(5)
        (call,) = caller.told
        assert (call.method, call.args) == ("increment", (5,))

    @pytest.mark.parametrize("delay", [90, 90.0, timedelta(minutes=1, seconds=30)])
    async def test_a_tell_may_be_delayed(
        self, caller: RecordingCaller, counter: CounterRef, delay: float | timedelta
    ) -> None:
        await counter.increment.tell_after(delay, n=5)
        ((call, when),) = caller.scheduled
        assert (call.kwargs, when) == ({"n": 5}, When(after_seconds=90.0))

    async def test_a_negative_delay_is_refused(self, caller: RecordingCaller, counter: CounterRef) -> None:
        with pytest.raises(ConfigurationError, match="delay=-1"):
            await counter.increment.tell_after(-1, 5)
        assert caller.scheduled == []

    async def test_a_tell_may_be_for_a_moment(self, caller: RecordingCaller, counter: CounterRef) -> None:
        handle = await counter.increment.tell_at(NEW_YEAR, n=5)
        ((call, when),) = caller.scheduled
        assert (call.kwargs, when) == ({"n": 5}, When(at_ms=1_893_452_400_000))
        assert handle.due == NEW_YEAR
        assert repr(handle) == "<scheduled Counter/c1.increment at 2029-12-31 23:00:00+00:00>"

    @pytest.mark.parametrize("when", [datetime(2030, 1, 1), "2030-01-01", datetime(9999, 1, 1, tzinfo=UTC)])  # noqa: DTZ001 - that is what is wrong with it
    async def test_what_is_no_moment_is_refused(
        self, caller: RecordingCaller, counter: CounterRef, when: object
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"time zone|must be between"):
            await counter.increment.tell_at(cast("datetime", when), n=5)
        assert caller.scheduled == []

    async def test_a_delayed_tell_has_a_handle_that_cancels(
        self, caller: RecordingCaller, counter: CounterRef
    ) -> None:
        handle = await counter.increment.tell_after(90, 5)
        assert handle.id == "Counter/c1/d%3A1"
        assert await handle.cancel()
        ((found, due_ms),) = [(entry.id, entry.due_ms) for entry in caller.cancelled]
        assert (found, due_ms) == (handle.id, 90_000)

    @pytest.mark.parametrize("send", ["ask", "tell", "tell_after", "tell_at"])
    async def test_arguments_that_do_not_fit_are_refused_before_anything_is_sent(
        self, caller: RecordingCaller, counter: CounterRef, send: str
    ) -> None:
        wrong = cast("Any", counter.increment)
        sends: dict[str, Callable[[], Any]] = {
            "ask": lambda: wrong(1, 2),
            "tell": lambda: wrong.tell(1, 2),
            "tell_after": lambda: wrong.tell_after(1, 1, 2),
            "tell_at": lambda: wrong.tell_at(NEW_YEAR, 1, 2),
        }
        with pytest.raises(InvalidArgumentsError, match=r"Counter\.increment: argument 2"):
            await sends[send]()
        assert (caller.asked, caller.told, caller.scheduled) == ([], [], [])

    async def test_an_answer_of_another_type_is_refused(self, caller: RecordingCaller) -> None:
        caller.answer = "seven"
        with pytest.raises(UndecodableError, match=r"Counter\.increment answered"):
            await make_ref(CounterRef, "c1", caller).increment()

    def test_a_remote_method_shows_what_it_would_call(self, counter: CounterRef) -> None:
        assert repr(counter.increment) == "Counter/c1.increment"


class TestAStream:
    async def test_a_stream_is_iterated_and_counts(
        self, caller: RecordingCaller, counter: CounterRef
    ) -> None:
        caller.yields = ("a", "b", "c")
        stream = counter.tokens("hi")
        assert (stream.seq, await stream.__anext__(), stream.seq) == (0, "a", 1)
        assert [token async for token in stream] == ["b", "c"]
        assert caller.asked[0].args == ("hi",)

    async def test_awaiting_a_stream_gives_its_last_value(
        self, caller: RecordingCaller, counter: CounterRef
    ) -> None:
        caller.yields = ("a", "b")
        assert await counter.tokens("hi") == "b"
        caller.yields = ()
        assert await counter.tokens("hi") is None

    async def test_leaving_a_loop_abandons_its_stream(
        self, caller: RecordingCaller, counter: CounterRef
    ) -> None:
        caller.yields = ("a", "b")
        stream = counter.tokens("hi")
        async for _ in stream:
            break
        assert [values.closed for values in caller.streams] == [1]

    async def test_a_stream_cannot_be_told(self, caller: RecordingCaller, counter: CounterRef) -> None:
        with pytest.raises(ConfigurationError, match="cannot be told"):
            await counter.tokens.tell("hi")
        with pytest.raises(ConfigurationError, match="cannot be told"):
            await counter.tokens.tell_after(1, "hi")
        assert caller.told == []

    def test_its_arguments_are_checked_at_once(self, counter: CounterRef) -> None:
        with pytest.raises(InvalidArgumentsError, match="prompt: Missing"):
            cast("Any", counter.tokens)()


class TestOptions:
    async def test_options_travel_with_every_call(self, caller: RecordingCaller, counter: CounterRef) -> None:
        ref = counter.with_options(timeout=timedelta(seconds=2), expires=60, idempotency_key="order-42")
        await ref.increment()
        await ref.increment.tell()
        expected = CallOptions(2.0, 60.0, "order-42", JSON)
        assert [caller.asked[0].options, caller.told[0].options] == [expected, expected]

    async def test_options_add_up_and_leave_the_first_ref_alone(
        self, caller: RecordingCaller, counter: CounterRef
    ) -> None:
        ref = counter.with_options(timeout=2).with_options(expires=3)
        await ref.increment()
        await counter.increment()
        assert isinstance(ref, CounterRef)
        assert caller.asked[0].options == CallOptions(2.0, 3.0, "", JSON)
        assert caller.asked[1].options == CallOptions(content_type=JSON)

    @pytest.mark.parametrize("options", [{"timeout": -1}, {"expires": timedelta(days=-1)}])
    def test_negative_durations_are_refused(self, counter: CounterRef, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            counter.with_options(**options)

    def test_an_idempotency_key_is_bounded(self, counter: CounterRef) -> None:
        counter.with_options(idempotency_key="x" * KEY_CHARACTERS_MAX)
        with pytest.raises(ConfigurationError, match="256 characters, not 257"):
            counter.with_options(idempotency_key="x" * (KEY_CHARACTERS_MAX + 1))


class TestAHandle:
    def test_it_knows_its_actor(self, counter: CounterRef) -> None:
        assert counter.address == Address("Counter", "c1")
        assert counter.actor_id == "c1"
        assert repr(counter) == str(counter) == "Counter/c1"

    def test_handles_on_one_actor_are_equal(self, counter: CounterRef) -> None:
        other = RecordingCaller()
        same = [
            counter.with_options(timeout=1),
            make_ref(CounterRef, "c1", other),
            make_untyped_ref("Counter", "c1", other),
        ]
        assert {counter, *same} == {counter}
        assert counter != make_ref(CounterRef, "c2", other)
        assert counter != "Counter/c1"

    def test_state_is_not_readable(self, counter: CounterRef) -> None:
        for name in ("value", "unset"):
            with pytest.raises(AttributeError, match=f"state is not readable through a ref: .*'{name}'"):
                getattr(counter, name)

    def test_what_is_no_message_is_not_callable(self, counter: CounterRef) -> None:
        for name in ("helper", "_secret"):
            with pytest.raises(AttributeError, match=f"Counter.{name} is no message"):
                getattr(counter, name)

    def test_an_unknown_name_is_answered_with_the_known_ones(self, counter: CounterRef) -> None:
        with pytest.raises(
            AttributeError,
            match=r"no method 'incremnt': did you mean 'increment'\? It has born, increment, tokens",
        ):
            cast("Any", counter).incremnt(5)
        with pytest.raises(AttributeError, match="no method 'zzz'"):
            _ = cast("Any", counter).zzz
        assert not hasattr(counter, "zzz")

    def test_nothing_can_be_set_or_deleted(self, counter: CounterRef) -> None:
        for name in ("value", "other", "increment"):
            with pytest.raises(AttributeError, match="a ref is immutable"):
                setattr(counter, name, 5)
            with pytest.raises(AttributeError, match="a ref is immutable"):
                delattr(counter, name)

    def test_it_cannot_be_made_by_hand(self) -> None:
        with pytest.raises(ConfigurationError, match=r"system\.ref\(CounterRef, actor_id\)"):
            CounterRef()

    def test_it_can_be_copied(self, counter: CounterRef) -> None:
        assert copy.copy(counter) == counter

    def test_an_impossible_id_is_refused(self, caller: RecordingCaller) -> None:
        with pytest.raises(ConfigurationError, match="actor id"):
            make_ref(CounterRef, "", caller)

    def test_the_implementation_class_is_no_ref_class(self, caller: RecordingCaller) -> None:
        with pytest.raises(ConfigurationError, match=r"class CounterRef\(Counter, Ref\)"):
            make_ref(cast("Any", Counter), "c1", caller)

    def test_nothing_of_the_implementation_shines_through(self, caller: RecordingCaller) -> None:
        @actor
        @dataclass
        class Loud:
            address: str = "here"
            size: int = 3

            def __str__(self) -> str:
                return f"{self.size}"

            def __setattr__(self, name: str, value: object) -> None:
                object.__setattr__(self, name, value)

            def __getattr__(self, name: str) -> str:
                return name

        class LoudRef(Loud, Ref): ...  # type: ignore[misc]

        ref = make_ref(LoudRef, "l1", caller)
        assert (str(ref), repr(ref), hash(ref)) == ("Loud/l1", "Loud/l1", hash(Address("Loud", "l1")))
        assert cast("object", ref.address) == Address("Loud", "l1")
        assert ref == make_untyped_ref("Loud", "l1", caller)
        with pytest.raises(AttributeError, match="no method 'anything'"):
            _ = ref.anything
        with pytest.raises(AttributeError, match="immutable"):
            ref.size = 5

    def test_slots_of_the_implementation_do_not_matter(self, caller: RecordingCaller) -> None:
        @actor
        class Slotted:
            __slots__ = ("value",)
            value: int

        class SlottedRef(Slotted, Ref): ...

        with pytest.raises(AttributeError, match="state is not readable"):
            _ = make_ref(SlottedRef, "s1", caller).value

    def test_a_handle_of_a_handle_is_one_too(self, caller: RecordingCaller) -> None:
        class Special(CounterRef): ...

        assert make_ref(Special, "c1", caller).address == Address("Counter", "c1")

    def test_reserved_are_exactly_the_public_names_of_refs(self) -> None:
        assert {name for name in dir(Ref) if not name.startswith("_")} == RESERVED_NAMES


class TestAHandleThatCannotBe:
    def test_a_message_only_the_handle_has_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"Wishful\.more would never run: define it in Counter"):

            class Wishful(Counter, Ref):
                @method
                def more(self) -> None: ...

    def test_another_actor_type_is_refused(self) -> None:
        with pytest.raises(
            ConfigurationError, match="actor_type='Tally', but the type of Counter is 'Counter'"
        ):

            class Renamed(Counter, Ref, actor_type="Tally"): ...

    def test_an_implementation_that_is_not_decorated_is_refused(self) -> None:
        class Plain:
            @method
            def work(self) -> None: ...

        with pytest.raises(ConfigurationError, match="PlainRef: decorate Plain with @actor"):

            class PlainRef(Plain, Ref): ...


class TestAContract:
    async def test_its_name_is_the_actor_type_and_the_layout_is_unknown(
        self, caller: RecordingCaller
    ) -> None:
        cart = make_ref(Cart, "u1", caller)
        assert await cart.add("tea", amount=2) == 7
        (call,) = caller.asked
        assert call.address == Address("Cart", "u1")
        assert call.declared is None
        assert call.options == CallOptions()

    def test_its_name_may_differ_from_the_actor_type(self, caller: RecordingCaller) -> None:
        class CartHandle(Ref, actor_type="Cart"): ...

        assert str(make_ref(CartHandle, "u1", caller)) == "Cart/u1"

    def test_its_actor_type_must_be_one(self) -> None:
        with pytest.raises(ConfigurationError, match="'my-cart'"):

            class CartHandle(Ref, actor_type="my-cart"): ...

    def test_unknown_names_are_answered_with_the_known_ones(self, caller: RecordingCaller) -> None:
        with pytest.raises(AttributeError, match=r"Cart has no method 'remove': .*It has add"):
            _ = cast("Any", make_ref(Cart, "u1", caller)).remove

    def test_its_messages_are_checked_like_an_actors(self) -> None:
        with pytest.raises(ConfigurationError, match=r"Taken\.address: every ref has"):

            class Taken(Ref):
                @method
                def address(self) -> str:  # type: ignore[override]
                    raise NotImplementedError

    def test_types_of_the_function_around_it_resolve(self, caller: RecordingCaller) -> None:
        @dataclass
        class Local:
            n: int

        class Uses(Ref):
            @method
            async def work(self, what: Local) -> Local:
                raise NotImplementedError

        assert Uses.work.arguments.convert_result({"n": 1}) == Local(1)
        assert str(make_ref(Uses, "u", caller)) == "Uses/u"

    def test_ref_itself_is_no_contract(self, caller: RecordingCaller) -> None:
        with pytest.raises(ConfigurationError, match="Ref is no ref class"):
            make_ref(Ref, "r1", caller)


class TestAnUntypedRef:
    async def test_any_name_is_a_message(self, caller: RecordingCaller) -> None:
        ref = make_untyped_ref("Counter", "c1", caller)
        assert await ref.increment(5, by="me") == 7
        assert await ref.call("increment", 5, by="me") == 7
        expected = Call(Address("Counter", "c1"), "increment", (5,), {"by": "me"}, simplify=simplify)
        assert caller.asked == [expected, expected]
        assert repr(ref.increment) == "Counter/c1.increment"

    async def test_names_that_the_ref_has_itself_are_reached_by_call(self, caller: RecordingCaller) -> None:
        await make_untyped_ref("Phone", "p1", caller).call("call", "home")
        assert caller.asked[0].method == "call"

    async def test_it_tells_with_options_and_delays(self, caller: RecordingCaller) -> None:
        ref = make_untyped_ref("Counter", "c1", caller).with_options(expires=5)
        await ref.increment.tell(5)
        await ref.increment.tell_after(timedelta(seconds=3), 5)
        await ref.increment.tell_at(NEW_YEAR, 5)
        assert [when for _, when in caller.scheduled] == [When(0, 3.0), When(1_893_452_400_000)]
        calls = [*caller.told, *(call for call, _ in caller.scheduled)]
        assert {call.options.expires_seconds for call in calls} == {5.0}

    def test_private_names_are_no_messages(self, caller: RecordingCaller) -> None:
        ref = make_untyped_ref("Counter", "c1", caller)
        assert not hasattr(ref, "_secret")
        assert copy.copy(ref) == ref

    @pytest.mark.parametrize(("actor_type", "actor_id"), [("my-type", "c1"), ("Counter", "")])
    def test_an_impossible_address_is_refused(
        self, caller: RecordingCaller, actor_type: str, actor_id: str
    ) -> None:
        with pytest.raises(ConfigurationError):
            make_untyped_ref(actor_type, actor_id, caller)
