"""Asks, tells and what surrounds them, on embedded and real adapters."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors import AskTimeoutError, BusinessError, SystemFaultError
from broker_actors.core.errors import (
    CallCycleError,
    IdempotencyConflictError,
    OrderError,
    UnknownActorTypeError,
    UnroutableError,
)
from broker_actors.core.events import TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef, Echo, EchoRef, Lamp, LampRef, Teller, TellerRef


async def test_an_ask_returns_the_result_and_state_is_kept(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        assert await counter.increment(5) == 5
        assert await counter.increment() == 6
        assert await system.ref(CounterRef, "c2").get() == 0


async def test_state_survives_the_worker(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        assert await system.ref(CounterRef, "c1").increment(41) == 41
    async with deployment.worker(Counter):
        assert await system.ref(CounterRef, "c1").increment() == 42


async def test_tells_sent_while_no_worker_runs_are_processed_in_order_once_one_does(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    counter = system.ref(CounterRef, "c1")
    letters = [chr(ord("a") + n % 26) for n in range(100)]
    await asyncio.gather(*(counter.append.tell(letter) for letter in letters))
    async with deployment.worker(Counter):
        assert await counter.read() == "".join(letters)


async def test_one_actor_runs_one_message_at_a_time(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        results = await asyncio.gather(*(counter.increment() for _ in range(200)))
        assert sorted(results) == list(range(1, 201))


async def test_a_business_error_reaches_the_caller_and_changes_nothing(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        await counter.increment(1)
        with pytest.raises(BusinessError, match="11 is too much") as caught:
            await counter.refuse(11)
        assert (caught.value.code, caught.value.details) == ("too_much", {"limit": 10})
        assert "BusinessError" in caught.value.remote_traceback
        assert await counter.get() == 1
    assert [e.attempt for e in deployment.watcher.of(TurnEnded) if e.outcome == "business_error"] == [1]


async def test_a_fault_is_retried_rolled_back_and_returned_to_the_asker(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        with pytest.raises(SystemFaultError, match="ValueError: boom") as caught:
            await counter.fail(7)
        assert caught.value.remote_type == "ValueError"
        assert await counter.get() == 0


async def test_a_flaky_method_succeeds_on_a_later_attempt(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        assert await counter.fail_before(3) == 3
        assert await counter.get() == 1


async def test_a_key_runs_once_and_replays_its_reply(deployment: Deployment) -> None:
    system, other = await deployment.system(), await deployment.system()
    async with deployment.worker(Counter):
        first = system.ref(CounterRef, "c1").with_options(idempotency_key="order-42")
        second = other.ref(CounterRef, "c1").with_options(idempotency_key="order-42")
        asks = [ref.increment(3) for ref in (first, second) for _ in range(20)]
        assert set(await asyncio.gather(*asks)) == {3}
        assert await system.ref(CounterRef, "c1").get() == 3


async def test_a_key_with_another_body_is_a_conflict(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1").with_options(idempotency_key="order-42")
        await counter.increment(3)
        with pytest.raises(IdempotencyConflictError, match="order-42"):
            await counter.increment(4)
        assert await system.ref(CounterRef, "c1").get() == 3


async def test_the_same_key_on_another_actor_is_another_call(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        for name in ("c1", "c2"):
            assert await system.ref(CounterRef, name).with_options(idempotency_key="k").increment(3) == 3


async def test_a_recorded_business_error_is_replayed(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1").with_options(idempotency_key="k")
        for _ in range(2):
            with pytest.raises(BusinessError, match="11 is too much"):
                await counter.refuse(11)
    assert [e.outcome for e in deployment.watcher.of(TurnEnded)] == ["business_error", "duplicate"]


async def test_an_ask_nobody_serves_times_out_at_its_deadline_and_never_runs(deployment: Deployment) -> None:
    system = await deployment.system()
    counter = await system.spawn(CounterRef, "c1")
    with pytest.raises(AskTimeoutError, match=r"Counter/c1\.increment did not answer within 0.2 s"):
        await counter.with_options(timeout=0.2).increment(1)
    async with deployment.worker(Counter):
        assert await counter.get() == 0
    assert [e.outcome for e in deployment.watcher.of(TurnEnded)] == ["expired", "ok"]


async def test_tells_of_a_turn_leave_with_its_commit(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter, Teller):
        assert await system.ref(TellerRef, "t1").pass_on("c1", 20) == 20
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "increment", 20)
        assert await system.ref(CounterRef, "c1").get() == 20


async def test_tells_of_a_failed_turn_never_leave(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter, Teller):
        with pytest.raises(BusinessError, match="changed_my_mind"):
            await system.ref(TellerRef, "t1").pass_on_and_fail("c1")
        assert await system.ref(TellerRef, "t1").get() == 0
        assert await system.ref(CounterRef, "c1").get() == 0


async def test_a_turn_asks_another_actor(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter, Teller):
        await system.ref(CounterRef, "c1").increment(9)
        assert await system.ref(TellerRef, "t1").fetch("c1") == 9


async def test_an_actor_that_waits_for_itself_is_told_at_once(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Teller):
        with pytest.raises(CallCycleError, match="Teller/t1 asks Teller/t1"):
            await system.ref(TellerRef, "t1").ask_myself()


async def test_an_ask_that_would_overtake_a_tell_of_its_turn_is_refused(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter, Teller):
        with pytest.raises(OrderError, match="Counter/c1"):
            await system.ref(TellerRef, "t1").tell_then_ask("c1")
        assert await system.ref(CounterRef, "c1").get() == 0


async def test_a_delayed_tell_arrives_through_the_delay_levels(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        await counter.append.tell_after(1, "late")
        await counter.append.tell("early")
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "append", 2)
        assert await counter.read() == "earlylate"


async def test_a_dedicated_actor_has_a_mailbox_once_it_is_spawned(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Lamp):
        with pytest.raises(UnroutableError, match="spawn"):
            await system.ref(LampRef, "hall").switch()
        lamp = await system.spawn(LampRef, "hall")
        assert await lamp.switch() is True
    async with deployment.worker(Lamp):
        assert await lamp.switch() is False


async def test_a_type_nobody_declared_is_named(deployment: Deployment) -> None:
    system = await deployment.system()
    with pytest.raises(UnknownActorTypeError, match="Ghost"):
        await system.ref("Ghost", "g1").call("boo")


async def test_an_untyped_ref_calls_by_name(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        assert await system.ref("Counter", "c1").call("increment", 5) == 5


async def test_an_at_least_once_actor_answers_without_the_store(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Echo):
        assert await system.ref(EchoRef, "e1").say("hello") == "hello"
