"""One commit of an actor at a time, in the order in which they were asked for, whoever stops waiting."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.turn import Committed, Fenced
from broker_actors.runtime.ledger import Ledger, Outcome
from broker_actors.runtime.shared_ledger import SharedLedger

#: A guard against hanging, not a measurement.
HANG_SECONDS = 30.0


class Inner:
    """A ledger whose commits end when the test says so."""

    outbox = None
    parking = None

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.answers: dict[str, asyncio.Future[Committed | Fenced]] = {}

    async def commit(self, outcome: Outcome) -> Committed | Fenced:
        name = str(outcome)
        self.begun.append(name)
        answer: asyncio.Future[Committed | Fenced] = asyncio.get_running_loop().create_future()
        self.answers[name] = answer
        return await answer


class Scene:
    def __init__(self) -> None:
        self.inner = Inner()
        self.ledger = SharedLedger(cast("Ledger", self.inner))

    def commit(self, name: str) -> asyncio.Task[Committed | Fenced]:
        return asyncio.create_task(self.ledger.commit(cast("Outcome", name)))

    async def begun(self, *names: str) -> None:
        """Return once everything has happened that can; nothing but *names* must have begun."""
        for _ in range(10):
            await asyncio.sleep(0)
        assert self.inner.begun == list(names)

    async def end(self, name: str, task: asyncio.Task[Committed | Fenced]) -> None:
        self.inner.answers[name].set_result(Committed())
        async with asyncio.timeout(HANG_SECONDS):
            await task


async def test_commits_follow_each_other_in_the_order_of_coming() -> None:
    scene = Scene()
    first, second, third = (scene.commit(name) for name in ("first", "second", "third"))
    await scene.begun("first")
    await scene.end("first", first)
    # One that comes while the next is on its way stands behind those that wait.
    fourth = scene.commit("fourth")
    await scene.begun("first", "second")
    await scene.end("second", second)
    await scene.begun("first", "second", "third")
    await scene.end("third", third)
    await scene.begun("first", "second", "third", "fourth")
    await scene.end("fourth", fourth)


async def test_who_stops_waiting_keeps_nobody_else_from_committing() -> None:
    scene = Scene()
    first, second, third = (scene.commit(name) for name in ("first", "second", "third"))
    await scene.begun("first")
    second.cancel()
    await scene.begun("first")
    await scene.end("first", first)
    await scene.begun("first", "third")
    await scene.end("third", third)
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_the_last_that_stops_waiting_leaves_the_ledger_as_it_was() -> None:
    scene = Scene()
    first, second = scene.commit("first"), scene.commit("second")
    await scene.begun("first")
    second.cancel()
    await scene.begun("first")
    await scene.end("first", first)
    third, fourth = scene.commit("third"), scene.commit("fourth")
    await scene.begun("first", "third")
    await scene.end("third", third)
    await scene.begun("first", "third", "fourth")
    await scene.end("fourth", fourth)


async def test_nobody_commits_after_a_commit_of_unknown_end() -> None:
    scene = Scene()
    first, second = scene.commit("first"), scene.commit("second")
    await scene.begun("first")
    scene.inner.answers["first"].set_exception(StoreUnavailableError("no answer"))
    for task in (first, second):
        with pytest.raises(StoreUnavailableError):
            await task
    await scene.begun("first")
