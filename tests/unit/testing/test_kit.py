"""The kit as a user's test sees it."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors import BusinessError, Ref, Settings, SystemFaultError, actor
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.events import ConsumerOpened
from broker_actors.testing import EventMissingError, NotSettledError, TurnEnded, actor_test
from tests.unit.testing.shop import Lamp, LampRef, Order, OrderRef, Stock, StockRef


async def test_an_actor_answers() -> None:
    async with actor_test(Stock) as kit:
        assert await kit.ref(StockRef, "tea").receive(2) == 2
        assert await kit.ref("Stock", "tea").call("receive", 1) == 3


async def test_two_kits_know_nothing_of_each_other() -> None:
    async with actor_test(Stock) as one, actor_test(Stock) as other:
        assert await one.ref(StockRef, "tea").receive(2) == 2
        assert await other.ref(StockRef, "tea").receive(5) == 5


async def test_settled_waits_for_everything_a_tell_leads_to() -> None:
    async with actor_test(Order, Stock) as kit:
        for _ in range(20):
            await kit.ref(OrderRef, "o30").pass_on.tell(30)
        await kit.settled()
        assert [turn.outcome for turn in kit.turns] == ["ok"] * 620
        assert await kit.ref(StockRef, "tea").receive(0) == 20


async def test_settled_returns_at_once_when_nothing_was_sent() -> None:
    async with actor_test(Stock) as kit:
        await kit.settled()
        await kit.settled()


async def test_several_may_wait_until_it_has_settled() -> None:
    async with actor_test(Order, Stock) as kit:
        await kit.ref(OrderRef, "o9").pass_on.tell(9)
        await asyncio.gather(*(kit.settled() for _ in range(5)))
        assert len(kit.turns) == 10


async def test_settled_waits_for_delays_and_retries_unless_told_not_to() -> None:
    async with actor_test(Order, Stock) as kit:
        await kit.ref(OrderRef, "o1").remind_in(1)
        await kit.settled(delayed=False)
        assert [turn.method for turn in kit.turns] == ["remind_in"]
        await kit.settled()
        assert [turn.method for turn in kit.turns] == ["remind_in", "receive"]


async def test_a_delay_beyond_patience_is_named_at_once() -> None:
    async with actor_test(Order, Stock) as kit:
        await kit.ref(OrderRef, "o1").remind_in(3600)
        with pytest.raises(NotSettledError, match=r"Stock/tea\.receive in actors\.delay\.11") as caught:
            await kit.settled()
        assert "settled(delayed=False)" in str(caught.value)
        await kit.settled(delayed=False)


async def test_a_message_of_a_type_that_nobody_runs_is_named_at_once() -> None:
    async with actor_test(Order) as kit:
        await kit.ref(StockRef, "tea").receive.tell(1)
        with pytest.raises(NotSettledError, match=r"Stock/tea\.receive in actors\.Stock\.g1\.") as caught:
            await kit.settled()
        assert "No worker runs Stock here" in str(caught.value)


async def test_a_tell_of_a_turn_to_a_type_that_nobody_runs_is_named_at_once() -> None:
    async with actor_test(Order) as kit:
        await kit.ref(OrderRef, "o1").pass_on(1)
        with pytest.raises(NotSettledError, match=r"Stock/tea\.receive in actors\.Stock\.g1\.") as caught:
            await kit.settled()
        assert "No worker runs Stock here" in str(caught.value)


async def test_of_many_messages_the_first_are_named() -> None:
    async with actor_test(Order) as kit:
        for _ in range(12):
            await kit.ref(StockRef, "tea").receive.tell(1)
        with pytest.raises(
            NotSettledError, match=r"^12 messages have not ended:\n(  Stock.*\n){10}  \.\.\.\n"
        ):
            await kit.settled()


@pytest.mark.parametrize("name", ["dead", "delay", "due", "unroutable"])
async def test_no_name_of_a_type_is_mistaken_for_a_queue_of_the_platform(name: str) -> None:
    @actor(name=name, partitions=1)
    class Bell(Stock):
        pass

    class BellRef(Bell, Ref):
        pass

    async with actor_test(Bell) as kit:
        bell = kit.ref(BellRef, "b1")
        await bell.receive.tell(1)
        await bell.reserve.tell(9)
        await kit.settled(delayed=False)
        assert [turn.outcome for turn in kit.turns] == ["ok", "dead_lettered"]
        assert len(await kit.dead_letters(name)) == 1


async def test_a_turn_that_does_not_end_is_named() -> None:
    async with actor_test(Stock, settings=Settings(drain_timeout_seconds=0)) as kit:
        await kit.ref(StockRef, "tea").hang.tell()
        with pytest.raises(NotSettledError, match=r"1 message has not ended:\n  Stock/tea\.hang in actors"):
            await kit.settled(timeout=0.01)


async def test_retries_do_not_wait() -> None:
    async with actor_test(Stock) as kit:
        for method in (kit.ref(StockRef, "tea").break_down, kit.ref(StockRef, "tea").break_down_slowly):
            with pytest.raises(SystemFaultError, match="ValueError: boom"):
                await method()
        assert [turn.attempt for turn in kit.turns] == [5, 2]


async def test_dead_letters_are_listed_once_all_is_settled_and_stay() -> None:
    async with actor_test(Stock) as kit:
        await kit.ref(StockRef, "tea").break_down.tell()
        await kit.ref(StockRef, "tea").reserve.tell(1)
        letters = await kit.dead_letters(Stock)
        expected = [("failed", "break_down"), ("rejected", "reserve")]
        assert [(letter.reason, letter.message.type) for letter in letters] == expected
        assert letters[0].error == "ValueError: boom"
        assert await kit.dead_letters("Stock") == letters


async def test_a_business_error_of_an_ask_is_no_dead_letter() -> None:
    async with actor_test(Stock) as kit:
        with pytest.raises(BusinessError, match="1 wanted, 0 left"):
            await kit.ref(StockRef, "tea").reserve(1)
        assert await kit.dead_letters(Stock) == []


async def test_dead_letters_of_a_class_that_is_no_actor_are_refused() -> None:
    async with actor_test(Stock) as kit:
        with pytest.raises(ConfigurationError, match="int is no actor class"):
            await kit.dead_letters(int)


async def test_state_survives_a_restart() -> None:
    async with actor_test(Stock) as kit:
        await kit.ref(StockRef, "tea").receive(2)
        await kit.restart()
        assert await kit.ref(StockRef, "tea").receive(1) == 3


async def test_an_event_is_waited_for_past_or_to_come() -> None:
    async with actor_test(Stock) as kit:
        for quantity in range(1, 4):
            await kit.ref(StockRef, "tea").receive.tell(quantity)
        third = await kit.wait_for(TurnEnded, lambda ended: ended.outcome == "ok", count=3)
        assert third == kit.turns[2]
        assert await kit.wait_for(TurnEnded) == kit.turns[0]
        assert isinstance(kit.events[0], ConsumerOpened)


async def test_an_event_that_does_not_happen_names_those_that_did() -> None:
    async with actor_test(Stock) as kit:
        await kit.ref(StockRef, "tea").receive(1)
        expected = r"^1 of 2 matching TurnEnded within 0 s; what happened: ConsumerOpened x 5, TurnEnded x 1$"
        with pytest.raises(EventMissingError, match=expected):
            await kit.wait_for(TurnEnded, count=2, timeout=0)


async def test_a_dedicated_actor_is_spawned() -> None:
    async with actor_test(Lamp) as kit:
        lamp = await kit.spawn(LampRef, "hall")
        assert await lamp.switch() is True


async def test_the_environment_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_ACTORS_URL", "amqp://nowhere")
    monkeypatch.setenv("BROKER_ACTORS_CODEC", "json")
    async with actor_test(Stock) as kit:
        assert (kit.system.settings.url, kit.system.settings.codec) == ("memory://", "msgpack")
        assert await kit.ref(StockRef, "tea").receive(1) == 1


async def test_settings_can_be_given() -> None:
    async with actor_test(Stock, settings=Settings(codec="json")) as kit:
        assert await kit.ref(StockRef, "tea").receive(1) == 1
        assert kit.system.settings.codec == "json"


async def test_what_kills_the_worker_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        text = "a bug"
        raise RuntimeError(text)

    monkeypatch.setattr("broker_actors.runtime.host.run_turn", broken)
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a bug")):
        async with actor_test(Stock) as kit:
            await kit.ref(StockRef, "tea").receive.tell(1)
            await kit.settled(timeout=0.1)


def test_a_class_that_is_no_actor_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="int is no actor class"):
        actor_test(int)


async def test_a_kit_without_actors_is_refused_and_leaves_nothing_open() -> None:
    with pytest.raises(ConfigurationError, match="at least one actor class"):
        async with actor_test():
            pass
