"""Interleaved turns: what overlaps, what they see, and what they may not write."""

from __future__ import annotations

import asyncio
import time

import pytest

from broker_actors import Ref, Retry, actor, method
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.errors import PlatformError
from broker_actors.core.events import TurnEnded
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Commit
from tests.acceptance.conftest import Deployment
from tests.acceptance.gate import Gate

pytestmark = pytest.mark.embedded_first

ONCE = Retry(attempts=1)
LATE_PASSES = 200


class LibraryRef(Ref):
    """The actor of these tests, as its callers see it."""

    @method
    async def put(self, book: str) -> int:
        raise NotImplementedError

    @method
    async def put_slowly(self, book: str) -> int:
        raise NotImplementedError

    @method
    async def look(self) -> list[str]:
        raise NotImplementedError

    @method
    async def look_twice(self) -> list[list[str]]:
        raise NotImplementedError

    @method
    async def scribble(self) -> None:
        raise NotImplementedError

    @method
    async def sneak(self) -> None:
        raise NotImplementedError


def library(gate: Gate) -> type:
    @actor(partitions=1, retry=ONCE, name="LibraryRef")
    class Library:
        """Books, and readers who do not wait for each other."""

        books: list[str]

        def __init__(self) -> None:
            self.books = []

        async def activate(self) -> None:
            self._gate = gate

        @method
        def put(self, book: str) -> int:
            self.books.append(book)
            return len(self.books)

        @method
        async def put_slowly(self, book: str) -> int:
            self.books.append(book)
            async with self._gate.passing():
                return len(self.books)

        @method.options(interleave=True)
        async def look(self) -> list[str]:
            async with self._gate.passing():
                return self.books

        @method.options(interleave=True)
        async def look_twice(self) -> list[list[str]]:
            before = list(self.books)
            async with self._gate.passing():
                return [before, self.books]

        @method.options(interleave=True)
        async def scribble(self) -> None:
            self.books = ["mine"]

        @method.options(interleave=True)
        async def sneak(self) -> None:
            self.books.append("mine")

    return Library


async def test_interleaved_calls_overlap(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(library(gate)):
        ref = system.ref(LibraryRef, "l1")
        await ref.put("a")
        async with asyncio.TaskGroup() as calls:
            looks = [calls.create_task(ref.look()) for _ in range(20)]
            await gate.holds(20)
            gate.open.set()
    assert [look.result() for look in looks] == [["a"]] * 20


async def test_admission_bounds_the_interleaved_turns_that_run(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(library(gate), running_max=5):
        ref = system.ref(LibraryRef, "l1")
        async with asyncio.TaskGroup() as calls:
            for _ in range(12):
                calls.create_task(ref.look())
            await gate.holds(5)
            gate.open.set()
    assert gate.most == 5


async def test_an_interleaved_turn_sees_the_last_commit_and_nothing_later(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(library(gate)):
        ref = system.ref(LibraryRef, "l1")
        await ref.put("a")
        looking = asyncio.ensure_future(ref.look_twice())
        await gate.holds(1)
        assert await ref.put("b") == 2, "it does not wait for the interleaved turn"
        gate.open.set()
        assert await looking == [["a"], ["a"]]
        assert await ref.look() == ["a", "b"]


async def test_what_was_awaited_is_seen_though_the_store_answers_late(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, commit = Gate(), MemoryStore.commit

    async def committed(self: MemoryStore, one: Commit) -> Committed | Fenced:
        answer = await commit(self, one)
        # Long enough for a reply to reach its caller, and its next call to get here.
        for _ in range(LATE_PASSES):
            await asyncio.sleep(0)
        return answer

    monkeypatch.setattr(MemoryStore, "commit", committed)
    gate.open.set()
    system = await deployment.system()
    async with deployment.worker(library(gate)):
        ref = system.ref(LibraryRef, "l1")
        for number in range(1, 6):
            await ref.put(str(number))
            assert len(await ref.look()) == number


async def test_an_interleaved_turn_does_not_see_what_a_running_turn_has_not_committed(
    deployment: Deployment,
) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(library(gate)):
        ref = system.ref(LibraryRef, "l1")
        await ref.put("a")
        putting = asyncio.ensure_future(ref.put_slowly("b"))
        await gate.holds(1)
        looking = asyncio.ensure_future(ref.look())
        await gate.holds(2)
        gate.open.set()
        assert await looking == ["a"]
        assert await putting == 2


@pytest.mark.parametrize("how", ["scribble", "sneak"])
async def test_writing_outside_of_a_section_is_refused_and_changes_nothing(
    deployment: Deployment, how: str
) -> None:
    system = await deployment.system()
    gate = Gate()
    gate.open.set()
    async with deployment.worker(library(gate)):
        ref = system.ref(LibraryRef, "l1")
        await ref.put("a")
        with pytest.raises(PlatformError, match=r"async with turn\(\)"):
            await getattr(ref, how)()
        assert await ref.look() == ["a"]
        assert await ref.put("b") == 2


async def test_an_interleaved_call_is_answered_once_and_its_duplicate_gets_the_same(
    deployment: Deployment,
) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(library(gate)):
        ref = system.ref(LibraryRef, "l1").with_options(idempotency_key="same")
        async with asyncio.TaskGroup() as calls:
            looks = [calls.create_task(ref.look()) for _ in range(2)]
            await gate.holds(1)
            gate.open.set()
        assert [look.result() for look in looks] == [[], []]
        await deployment.watcher.wait_for(TurnEnded, count=2)
        outcomes = [event.outcome for event in deployment.watcher.of(TurnEnded)]
    assert sorted(outcomes) == ["duplicate", "ok"]
    assert gate.most == 1


async def test_stopping_waits_for_interleaved_turns(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(library(gate)) as worker:
        looking = asyncio.ensure_future(system.ref(LibraryRef, "l1").look())
        await gate.holds(1)
        stopping = asyncio.ensure_future(worker.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        gate.open.set()
        await stopping
        assert await looking == []


class SleeperRef(Ref):
    """Takes its time, beside its other turns or alone."""

    @method
    async def beside(self) -> int:
        raise NotImplementedError

    @method
    async def alone(self) -> int:
        raise NotImplementedError


def sleeper() -> type:
    @actor(partitions=1, name="SleeperRef")
    class Sleeper:
        """Counts how many of its turns run."""

        async def activate(self) -> None:
            self._running = [0]
            self._together = asyncio.Event()

        @method.options(interleave=True)
        async def beside(self) -> int:
            self._running[0] += 1
            running = self._running[0]
            if running == TOGETHER:
                self._together.set()
            await self._together.wait()
            await asyncio.sleep(NAP_SECONDS)
            self._running[0] -= 1
            return running

        @method
        async def alone(self) -> int:
            self._running[0] += 1
            running = self._running[0]
            await asyncio.sleep(0)
            self._running[0] -= 1
            return running

    return Sleeper


#: What one call takes at least, how many there are, and how many must run at a time before any may end.
NAP_SECONDS, CALLS, TOGETHER = 0.05, 1_000, 100


async def test_a_thousand_interleaved_calls_run_side_by_side_and_others_one_at_a_time(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with deployment.worker(sleeper()):
        ref = system.ref(SleeperRef, "s1")
        running = await asyncio.gather(*(ref.beside() for _ in range(CALLS)))
        assert max(running) >= TOGETHER
        assert set(await asyncio.gather(*(ref.alone() for _ in range(20)))) == {1}


@pytest.mark.verify
@pytest.mark.alone
async def test_a_thousand_interleaved_calls_take_a_fraction_of_their_time(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(sleeper()):
        ref = system.ref(SleeperRef, "s1")
        before = time.monotonic()
        await asyncio.gather(*(ref.beside() for _ in range(CALLS)))
        assert time.monotonic() - before < CALLS * NAP_SECONDS / 5
