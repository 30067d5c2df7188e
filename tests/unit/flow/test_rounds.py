"""The rounds of parallel batch flows that are durable: beside each other, over one shared state."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from broker_actors import BusinessError
from broker_actors.cli.actor_views import state_of
from broker_actors.core.address import Address
from broker_actors.flow import (
    AsyncNode,
    AsyncParallelBatchFlow,
    BatchNode,
    Flow,
    Node,
    ParallelBatchFlow,
    ParallelBatchNode,
    Progress,
    Status,
    Wait,
)
from broker_actors.flow.graph import BaseNode, Value
from broker_actors.testing import ActorKit, VirtualClock, actor_test
from tests.unit.flow.story import durable

Shared = dict[str, Any]
ADDRESS = Address("Story", "s1")


class Cities(ParallelBatchFlow):
    """A round for each city."""

    def prep(self, shared: Shared) -> list[Shared]:
        return [{"city": city} for city in shared["cities"]]

    def post(self, shared: Shared, prep_res: list[Shared], exec_res: None) -> str:
        shared["post"] = [len(prep_res), exec_res]
        return "default"


class Look(Node):
    """Counts, as only one shared state can; notes what it has found under the round's own key."""

    def prep(self, shared: Shared) -> str:
        shared["begun"] = shared.get("begun", 0) + 1
        return str(self.params["city"])

    async def exec(self, prep_res: str) -> str:
        return f"weather of {prep_res}"

    def post(self, shared: Shared, prep_res: str, exec_res: str) -> Value:
        shared["ended"] = shared.get("ended", 0) + 1
        shared.setdefault("found", {})[prep_res] = exec_res


class Held(Look):
    """Runs until it is let go."""

    async def exec(self, prep_res: str) -> str:
        await GATES[prep_res].hold()
        return await super().exec(prep_res)


class Gate:
    """What one item waits for, and what others learn of it."""

    def __init__(self) -> None:
        self.is_running = asyncio.Event()
        self.opened = asyncio.Event()
        self.was_stopped = False

    async def hold(self) -> None:
        self.is_running.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.was_stopped = True
            raise


GATES: dict[str, Gate] = {}


@pytest.fixture(autouse=True)
def _gates() -> Iterator[None]:
    GATES.update({city: Gate() for city in "abcdefgh"})
    yield
    GATES.clear()


def wired(*nodes: BaseNode) -> BaseNode:
    """Return the first of *nodes*, which follow each other."""
    for number, node in enumerate(nodes[1:]):
        nodes[number] >> node
    return nodes[0]


async def started(kit: ActorKit, ref_class: Value, shared: Shared) -> Value:
    ref = kit.ref(ref_class, "s1")
    await ref.start(shared)
    return ref


async def test_rounds_run_at_once_on_lanes_and_come_together() -> None:
    story, ref_class = durable(Flow(wired(Cities(Held()), Node())))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class, {"cities": [*"abc"]})
        for city in "cab":
            await GATES[city].is_running.wait()
        assert (await ref.status()).items_all == 3, "all three run, and none has ended"
        for city in "cab":
            GATES[city].opened.set()
        await kit.settled()
        assert (await ref.status()).status is Status.DONE
        assert await ref.result() == {
            "cities": ["a", "b", "c"],
            "begun": 3,
            "ended": 3,
            "found": {city: f"weather of {city}" for city in "abc"},
            "post": [3, None],
        }
        lanes = [turn.address.id for turn in kit.turns if turn.method == "work"]
        assert sorted(lanes) == ["s1~0", "s1~1", "s1~2"]


async def test_no_more_rounds_run_than_may_and_whoever_looks_sees_how_many_have_ended() -> None:
    story, ref_class = durable(Flow(Cities(Held(), concurrency=2)))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class, {"cities": [*"abcd"]})
        await GATES["a"].is_running.wait()
        GATES["b"].opened.set()
        await GATES["c"].is_running.wait()
        standing = await ref.status()
        assert (standing.at, standing.items, standing.items_all) == ("Cities", 1, 4)
        assert not GATES["d"].is_running.is_set()
        drawn = await ref.mermaid()
        assert 'subgraph n0["Cities (parallel) 1 of 4"]' in drawn
        assert [line.split()[1] for line in drawn.splitlines() if "style" in line] == ["n0", "n1"]
        for city in "acd":
            GATES[city].opened.set()
        await kit.settled()
        assert (await ref.result())["ended"] == 4


class Steps(BatchNode):
    def prep(self, shared: Shared) -> list[str]:
        return [self.params["city"], "!"]

    def exec(self, prep_res: str) -> str:
        return prep_res * 2

    def post(self, shared: Shared, prep_res: object, exec_res: list[str]) -> str:
        shared.setdefault("steps", {})[self.params["city"]] = exec_res
        return exec_res[0]


class Letters(ParallelBatchNode):
    def prep(self, shared: Shared) -> list[int]:
        return [1, 2, 3]

    def exec(self, prep_res: int) -> str:
        if self.cur_retry == 0:
            raise ConnectionError
        return f"{self.params['city']}{prep_res}"

    def post(self, shared: Shared, prep_res: object, exec_res: list[str]) -> None:
        shared.setdefault("letters", {})[self.params["city"]] = exec_res


class Streets(ParallelBatchFlow):
    def prep(self, shared: Shared) -> list[Shared]:
        return [{"street": n} for n in range(2)]


class Walk(AsyncNode):
    async def exec_async(self, prep_res: object) -> list[Any]:
        return [self.params["city"], self.params["street"]]

    async def post_async(self, shared: Shared, prep_res: object, exec_res: list[Any]) -> None:
        shared.setdefault("walked", []).append(exec_res)


async def test_each_round_goes_its_own_way_through_flows_batches_and_waits_between_attempts() -> None:
    steps, streets = Steps(), Streets(Walk(), concurrency=1)
    steps - "aa" >> Flow(Letters(max_retries=2, wait=1, concurrency=2))
    steps - "bb" >> streets
    cities: BaseNode = Cities(steps)
    story, ref_class = durable(Flow(cities))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class, {"cities": ["a", "b"]})
        await kit.settled()
        assert await ref.result() == {
            "cities": ["a", "b"],
            "steps": {"a": ["aa", "!!"], "b": ["bb", "!!"]},
            "letters": {"a": ["a1", "a2", "a3"]},
            "walked": [["b", 0], ["b", 1]],
            "post": [2, None],
        }
        visits = [visit async for visit in ref.progress()]
    assert sorted(visit.node for visit in visits[:-1]) == [
        "Cities/Flow",
        "Cities/Flow/Letters",
        "Cities/Steps",
        "Cities/Steps",
        "Cities/Streets",
        "Cities/Streets/Walk",
        "Cities/Streets/Walk",
    ]
    assert visits[-1] == Progress(8, "Cities", "default")


@pytest.mark.parametrize("cities", [[], ["a", "b"]])
async def test_rounds_in_which_nothing_happens_are_over_at_once(cities: list[str]) -> None:
    class AsyncCities(AsyncParallelBatchFlow):
        async def prep_async(self, shared: Shared) -> list[Shared]:
            return [{"city": city} for city in shared["cities"]]

        async def post_async(self, shared: Shared, prep_res: list[Shared], exec_res: None) -> None:
            shared["post"] = len(prep_res)

    story, ref_class = durable(AsyncCities(Look() if not cities else None))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class, {"cities": cities})
        await kit.settled()
        assert await ref.result() == {"cities": cities, "post": len(cities)}


class Ask(Wait):
    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        shared.setdefault("answers", {})[self.params["city"]] = exec_res

    def exec_fallback(self, prep_res: object, exc: Exception) -> str:
        return "nobody"


async def test_rounds_wait_for_answers_beside_each_other() -> None:
    story, ref_class = durable(Flow(Cities(Ask(timeout=3600))))
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class, {"cities": [*"abcd"]})
        await kit.settled(delayed=False)
        standing = await ref.status()
        assert (standing.status, standing.at, len(standing.promises)) == (Status.WAITING, "Cities", 4)
        assert standing.promise == standing.promises[0]
        # One is meant, from another process, and in any order.
        await kit.restart()
        await ref.complete(standing.promises[2], "third")
        await kit.settled(delayed=False)
        with pytest.raises(BusinessError, match="does not wait at"):
            await ref.complete(standing.promises[2], "again")
        # Whichever comes first, twice.
        await asyncio.gather(ref.complete("Cities/Ask", "any"), ref.complete("Cities/Ask", "any"))
        await kit.settled(delayed=False)
        assert (await ref.status()).promises == [standing.promises[3]]
        # The last one has to do without.
        await kit.advance(3600)
        assert (await ref.result())["answers"] == {"a": "any", "b": "any", "c": "third", "d": "nobody"}


async def test_a_round_that_waits_holds_up_no_other() -> None:
    class Fork(Look):
        def post(self, shared: Shared, prep_res: str, exec_res: str) -> str:
            super().post(shared, prep_res, exec_res)
            return "ask" if prep_res == "a" else "go on"

    fork = Fork()
    fork - "ask" >> Ask()
    fork - "go on" >> Held()
    story, ref_class = durable(Flow(Cities(fork)))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class, {"cities": ["a", "b"]})
        await GATES["b"].is_running.wait()
        standing = await ref.status()
        assert standing.status is Status.RUNNING, "one waits, and the other goes on"
        GATES["b"].opened.set()
        await kit.settled(delayed=False)
        assert (await ref.status()).status is Status.WAITING
        await ref.complete("Cities/Ask", "yes")
        await kit.settled()
        assert (await ref.status()).action == "default"


class Booked(Held):
    """Can be taken back."""

    def compensate(self, shared: Shared, exec_res: str) -> None:
        shared.setdefault("taken back", []).append(exec_res)


async def test_a_round_that_fails_stops_the_others_and_what_was_done_is_taken_back() -> None:
    class Pay(Held):
        def exec_fallback(self, prep_res: str, exc: Exception) -> str:
            raise exc

        async def exec(self, prep_res: str) -> str:
            if prep_res == "b":
                raise ValueError("no money")
            return await super().exec(prep_res)

    for city in "ab":
        GATES[city].opened.set()
    story, ref_class = durable(Flow(Cities(wired(Booked(), Pay()))))
    async with actor_test(story) as kit:
        GATES["a"].opened.set()
        ref = await started(kit, ref_class, {"cities": ["a", "b", "c"]})
        await GATES["c"].is_running.wait()
        await kit.settled()
        standing = await ref.status()
        assert (standing.status, standing.error) == (Status.FAILED, "Cities/Pay item 0: ValueError: no money")
        assert standing.uncompensated == []
        shared = await shared_of(kit)
        assert set(shared["taken back"]) == set(shared["found"].values()) >= {"weather of b"}
    assert GATES["c"].was_stopped


async def shared_of(kit: ActorKit) -> Value:
    snapshot = await kit.system.backend.store.peek(ADDRESS)
    assert snapshot is not None
    state: Any = state_of(snapshot)
    return state["shared"]


class Rooms(ParallelBatchNode):
    """Its items run until they are let go, and can be taken back."""

    def prep(self, shared: Shared) -> list[str]:
        return [*"abcd"]

    async def exec(self, prep_res: str) -> str:
        await GATES[prep_res].hold()
        if prep_res == "c":
            raise ValueError("no room")
        return f"room {prep_res}"

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        shared["rooms"] = exec_res

    def compensate(self, shared: Shared, exec_res: list[str]) -> None:
        shared["taken back"] = exec_res


@pytest.mark.parametrize("how", ["an item fails", "it is cancelled"])
async def test_items_that_had_ended_are_taken_back_when_their_batch_does_not_end(how: str) -> None:
    story, ref_class = durable(Flow(Rooms(concurrency=3)))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class, {})
        GATES["b"].opened.set()
        await GATES["d"].is_running.wait()
        if how == "an item fails":
            GATES["c"].opened.set()
        else:
            await ref.cancel()
        await kit.settled()
        assert (await ref.status()).uncompensated == []
        assert await shared_of(kit) == {"taken back": ["room b"]}
    assert GATES["a"].was_stopped
    assert GATES["d"].was_stopped


async def test_cancelling_walks_through_rounds_items_and_waits() -> None:
    class Fork(Look):
        def post(self, shared: Shared, prep_res: str, exec_res: str) -> str:
            return prep_res

    fork = Fork()
    fork - "a" >> Ask()
    fork - "b" >> Rooms()
    fork - "h" >> Held()
    story, ref_class = durable(Flow(Cities(fork)))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class, {"cities": ["a", "b", "h"]})
        for city in "abcdh":
            await GATES[city].is_running.wait()
        await ref.cancel("enough")
        await kit.settled(delayed=False)
        standing = await ref.status()
        assert (standing.status, standing.error, standing.promises) == (Status.CANCELLED, "enough", [])
    assert all(GATES[city].was_stopped for city in "abcdh")
