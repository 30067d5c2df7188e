"""Callers that give up: what runs of their calls ends, and so does what that has called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from broker_actors import AskTimeoutError, PlatformError, Ref, SystemFaultError, actor, method, turn
from broker_actors.core.events import TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.gate import Gate

pytestmark = pytest.mark.embedded_first

#: A deadline that passes while a test waits for it, and not before it has begun what it is for.
SOON: Final = 1.0


class ClerkRef(Ref):
    """The actor of these tests, as its callers see it."""

    @method
    async def note(self, text: str) -> list[str]:
        raise NotImplementedError

    @method
    async def work(self, text: str) -> list[str]:
        raise NotImplementedError

    @method
    async def work_beside(self, text: str) -> list[str]:
        raise NotImplementedError

    @method
    async def delegate(self, other: str, text: str) -> list[str]:
        raise NotImplementedError

    @method
    async def deadlines(self, others: list[str]) -> list[float]:
        raise NotImplementedError


def clerk(gate: Gate) -> type:
    @actor(partitions=2, name="ClerkRef")
    class Clerk:
        """Works until it may go home."""

        notes: list[str]

        def __init__(self) -> None:
            self.notes = []

        @method
        def note(self, text: str) -> list[str]:
            self.notes.append(text)
            return self.notes

        @method
        async def work(self, text: str) -> list[str]:
            self.notes.append(text)
            async with gate.passing():
                return self.notes

        @method.options(interleave=True)
        async def work_beside(self, text: str) -> list[str]:
            async with gate.passing():
                return [*self.notes, text]

        @method
        async def delegate(self, other: str, text: str) -> list[str]:
            self.notes.append(text)
            return await turn.current().ref(ClerkRef, other).work(text)

        @method
        async def deadlines(self, others: list[str]) -> list[float]:
            mine = turn.current().deadline
            assert mine is not None
            if not others:
                return [mine.timestamp()]
            rest = await turn.current().ref(ClerkRef, others[0]).deadlines(others[1:])
            return [mine.timestamp(), *rest]

    return Clerk


@pytest.fixture
def gate() -> Gate:
    return Gate()


def of(actor_id: str) -> Callable[[TurnEnded], bool]:
    return lambda event: event.address.id == actor_id


def ended(actor_id: str, outcome: str) -> Callable[[TurnEnded], bool]:
    return lambda event: (event.address.id, event.outcome) == (actor_id, outcome)


@pytest.mark.parametrize("name", ["work", "work_beside"])
async def test_a_cancelled_call_is_cancelled_where_it_runs_and_leaves_nothing(
    deployment: Deployment, gate: Gate, name: str
) -> None:
    system = await deployment.system()
    async with deployment.worker(clerk(gate)):
        ref = system.ref(ClerkRef, "c1")
        working = asyncio.ensure_future(getattr(ref, name)("a"))
        await gate.holds(1)
        working.cancel()
        await gate.holds(0)
        await deployment.watcher.wait_for(TurnEnded, ended("c1", "cancelled"))
        assert await ref.note("b") == ["b"]


async def test_what_a_cancelled_call_has_called_is_cancelled_too(deployment: Deployment, gate: Gate) -> None:
    system = await deployment.system()
    async with deployment.worker(clerk(gate)), deployment.worker(clerk(gate)):
        ref = system.ref(ClerkRef, "c1")
        delegating = asyncio.ensure_future(ref.delegate("c2", "a"))
        await gate.holds(1)
        delegating.cancel()
        await gate.holds(0)
        for actor_id in ("c1", "c2"):
            await deployment.watcher.wait_for(TurnEnded, ended(actor_id, "cancelled"))
        gate.open.set()
        assert await ref.work("b") == ["b"]
        assert await system.ref(ClerkRef, "c2").work("b") == ["b"]


async def test_a_cancelled_call_that_waits_does_not_run(deployment: Deployment, gate: Gate) -> None:
    system = await deployment.system()
    async with deployment.worker(clerk(gate)) as worker:
        ref = system.ref(ClerkRef, "c1")
        working = asyncio.ensure_future(ref.work("a"))
        await gate.holds(1)
        waiting = asyncio.ensure_future(ref.note("b"))
        while not worker.waiting:  # noqa: ASYNC110 - a delivery that waits tells nobody
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        # Told of after the one before, by the same way.
        last = asyncio.ensure_future(system.ref(ClerkRef, "c2").work("x"))
        await gate.holds(2)
        last.cancel()
        await gate.holds(1)
        gate.open.set()
        assert await working == ["a"]
        await deployment.watcher.wait_for(TurnEnded, ended("c1", "cancelled"))
        assert await ref.note("c") == ["a", "c"]


async def test_closing_a_client_cancels_its_calls(deployment: Deployment, gate: Gate) -> None:
    system = await deployment.system()
    async with deployment.worker(clerk(gate)):
        other = await deployment.system()
        working = asyncio.ensure_future(other.ref(ClerkRef, "c1").work("a"))
        await gate.holds(1)
        await other.client.close()
        with pytest.raises(PlatformError, match="closed"):
            await working
        await gate.holds(0)
        assert await system.ref(ClerkRef, "c1").note("b") == ["b"]


async def test_a_keyed_call_that_was_given_up_can_be_made_again(deployment: Deployment, gate: Gate) -> None:
    system = await deployment.system()
    async with deployment.worker(clerk(gate)):
        ref = system.ref(ClerkRef, "c1").with_options(idempotency_key="once")
        working = asyncio.ensure_future(ref.work("a"))
        await gate.holds(1)
        working.cancel()
        await deployment.watcher.wait_for(TurnEnded, ended("c1", "cancelled"))
        gate.open.set()
        assert await ref.work("a") == ["a"]
        assert await ref.work("a") == ["a"], "and is recorded like any other"


async def test_what_a_call_calls_has_its_deadline(deployment: Deployment, gate: Gate) -> None:
    system = await deployment.system()
    async with deployment.worker(clerk(gate)):
        ref = system.ref(ClerkRef, "c1").with_options(timeout=20)
        first_ms, second_ms, third_ms = (round(s * 1000) for s in await ref.deadlines(["c2", "c3"]))
        assert third_ms <= second_ms + 2 <= first_ms + 4, "rounded to milliseconds"
        assert first_ms - third_ms < 1_000


async def test_at_its_deadline_a_call_ends_with_all_it_has_called(deployment: Deployment, gate: Gate) -> None:
    system = await deployment.system()
    async with deployment.worker(clerk(gate)):
        ref = system.ref(ClerkRef, "c1")
        with pytest.raises((AskTimeoutError, SystemFaultError), match=r"within 0.5 s|deadline"):
            await ref.with_options(timeout=0.5).delegate("c2", "a")
        await gate.holds(0)
        for actor_id in ("c1", "c2"):
            [event] = await deployment.watcher.wait_for(TurnEnded, of(actor_id))
            assert event.outcome in {"fault", "cancelled"}
        assert await ref.note("b") == ["b"]


async def test_what_a_worker_had_begun_that_is_gone_does_not_run_again_past_its_deadline(
    deployment: Deployment, gate: Gate
) -> None:
    system = await deployment.system()
    ref = system.ref(ClerkRef, "c1")
    async with deployment.worker(clerk(gate), drain_timeout_seconds=0.0):
        working = asyncio.ensure_future(ref.with_options(timeout=SOON).work("late"))
        await gate.holds(1)
    with pytest.raises(AskTimeoutError):
        await working
    second = Gate()
    async with deployment.worker(clerk(second)):
        assert await ref.note("b") == ["b"]
    assert second.most == 0
    assert [event.outcome for event in deployment.watcher.of(TurnEnded)] == ["expired", "ok"]
