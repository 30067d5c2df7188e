from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from broker_actors.actor.context import current_caller, entered
from broker_actors.actor.method import method
from broker_actors.actor.ref import Ref, make_ref
from broker_actors.actor.spec import actor
from broker_actors.actor.turn import turn
from broker_actors.actor.untyped import make_untyped_ref
from broker_actors.core.address import Address
from broker_actors.core.errors import OutOfTurnError
from tests.unit.actor.fakes import RecordingCaller, RecordingTurn


@actor
class Counter:
    value: int = 0

    @method
    def increment(self, n: int = 1) -> int:
        raise NotImplementedError


class CounterRef(Counter, Ref): ...


class TestTheCurrentTurn:
    def test_it_says_what_runs(self) -> None:
        with entered(RecordingTurn(deadline_ms=1_700_000_000_500)):
            current = turn.current()
        assert current.id == "Teller/t1/n:s:1"
        assert current.address == Address("Teller", "t1")
        assert current.actor_id == "t1"
        assert current.method == "pass_on"
        assert current.attempt == 2
        assert current.epoch == 7
        assert current.idempotency_key == "order-42"
        assert current.deadline == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)

    def test_without_a_deadline_nobody_stops_waiting(self) -> None:
        with entered(RecordingTurn()):
            assert turn.current().deadline is None

    def test_outside_of_turns_there_is_none(self) -> None:
        assert current_caller() is None
        with pytest.raises(OutOfTurnError, match="no turn runs here"):
            turn.current()

    def test_a_turn_ends_where_it_was_entered(self) -> None:
        outer, inner = RecordingTurn(), RecordingTurn(id="inner")
        with entered(outer):
            with entered(inner):
                assert current_caller() is inner
            assert current_caller() is outer
        assert current_caller() is None

    async def test_a_task_of_the_turn_is_in_the_turn(self) -> None:
        async def task() -> str:
            return turn.current().id

        with entered(RecordingTurn()):
            started = asyncio.create_task(task())
        assert await started == "Teller/t1/n:s:1"

    async def test_turns_of_concurrent_tasks_are_apart(self) -> None:
        async def run(name: str) -> str:
            with entered(RecordingTurn(id=name)):
                await asyncio.sleep(0)
                return turn.current().id

        assert list(await asyncio.gather(run("a"), run("b"))) == ["a", "b"]


class TestRefsInATurn:
    async def test_a_ref_made_by_the_turn_calls_through_it(self) -> None:
        scope = RecordingTurn(answer=7)
        with entered(scope):
            assert await turn.current().ref(CounterRef, "c1").increment(5) == 7
            assert await turn.current().ref("Counter", "c2").increment(5) == 7
        assert [str(call.address) for call in scope.asked] == ["Counter/c1", "Counter/c2"]

    async def test_a_ref_made_elsewhere_calls_through_the_turn_too(self) -> None:
        outside, scope = RecordingCaller(answer=1), RecordingTurn(answer=2)
        typed, untyped = make_ref(CounterRef, "c1", outside), make_untyped_ref("Counter", "c1", outside)
        with entered(scope):
            assert await typed.increment() == 2
            assert await typed.ask(Counter.increment) == 2
            assert await untyped.increment() == 2
            await typed.increment.tell()
            await typed.increment.tell_after(1)
            await untyped.increment.tell()
            await untyped.increment.tell_after(1)
        assert (outside.asked, outside.told, outside.scheduled) == ([], [], [])
        assert (len(scope.asked), len(scope.told), len(scope.scheduled)) == (3, 2, 2)
        assert await typed.increment() == 1

    async def test_a_delayed_tell_is_cancelled_through_the_turn(self) -> None:
        outside, scope = RecordingCaller(), RecordingTurn()
        handle = await make_ref(CounterRef, "c1", outside).increment.tell_after(60)
        with entered(scope):
            assert await handle.cancel()
            assert await turn.current().scheduled(handle.id).cancel()
        assert outside.cancelled == []
        assert [entry.id for entry in scope.cancelled] == [handle.id, handle.id]

    async def test_it_counts_where_a_call_is_awaited(self) -> None:
        outside, scope = RecordingCaller(answer=1), RecordingTurn(answer=2)
        call = make_ref(CounterRef, "c1", outside).increment()
        with entered(scope):
            assert await call == 2

    async def test_what_is_left_over_of_a_turn_cannot_call(self) -> None:
        outside, scope = RecordingCaller(), RecordingTurn()
        ref = make_ref(CounterRef, "c1", outside)
        with entered(scope):
            scope.finished = True
            told = "the turn is over: Teller/t1 ran pass_on"
            with pytest.raises(OutOfTurnError, match=told):
                await ref.increment()
            with pytest.raises(OutOfTurnError, match=told):
                await ref.increment.tell()
            with pytest.raises(OutOfTurnError, match=told):
                turn.current()
        assert (outside.asked, outside.told, scope.asked, scope.told) == ([], [], [], [])


class TestSections:
    async def test_a_section_is_one_of_the_turn_that_runs_where_it_is_entered(self) -> None:
        section, scope = turn(), RecordingTurn()
        with entered(scope):
            async with section:
                assert scope.sections == ["open"]
        assert scope.sections == ["open", "committed"]

    async def test_an_exception_leaves_a_section_as_an_exception(self) -> None:
        scope = RecordingTurn()
        with entered(scope), pytest.raises(KeyError):
            async with turn():
                raise KeyError("k")
        assert scope.sections == ["open", "KeyError('k')"]

    async def test_there_is_none_outside_of_turns(self) -> None:
        with pytest.raises(OutOfTurnError, match=r"no turn runs here: turn\(\) works in a @method"):
            async with turn():
                pass
