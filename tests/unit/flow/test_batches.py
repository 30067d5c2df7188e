"""Batches of items and of rounds, in order and beside each other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from broker_actors.flow import (
    AsyncBatchFlow,
    AsyncBatchNode,
    AsyncParallelBatchFlow,
    AsyncParallelBatchNode,
    BatchFlow,
    BatchNode,
    Flow,
    Node,
    ParallelBatchFlow,
    ParallelBatchNode,
)
from broker_actors.flow.graph import Value

Shared = dict[str, Any]


class Doubled(BatchNode):
    def prep(self, shared: Shared) -> Value:
        return shared["items"]

    def exec(self, prep_res: int) -> int:
        if prep_res < 0 and self.cur_retry == 0:
            raise ValueError(prep_res)
        return prep_res * 2

    def exec_fallback(self, prep_res: int, exc: Exception) -> str:
        return f"no {prep_res}"

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        shared["post"] = (prep_res, exec_res)


class DoubledBeside(ParallelBatchNode):
    prep, exec, exec_fallback, post = Doubled.prep, Doubled.exec, Doubled.exec_fallback, Doubled.post


@pytest.mark.parametrize(
    ("items", "results"), [([1, 2], [2, 4]), ([], []), (None, []), ([-1, 3], ["no -1", 6])]
)
@pytest.mark.parametrize("kind", [Doubled, DoubledBeside])
async def test_a_batch_runs_each_item_with_attempts_of_its_own(
    kind: type[Doubled], items: object, results: object
) -> None:
    shared: Shared = {"items": items}
    kind().run(shared)
    assert shared["post"] == (items, results)
    await kind().run_async(shared)
    assert shared["post"] == (items, results)
    if items == [-1, 3]:
        kind(max_retries=2).run(shared)
        assert shared["post"] == (items, [-2, 6])


@pytest.mark.parametrize("kind", [AsyncBatchNode, AsyncParallelBatchNode])
async def test_an_async_batch_must_be_given_items(kind: type[AsyncBatchNode]) -> None:
    with pytest.raises(TypeError):
        await kind().run_async({})


async def test_parallel_items_count_their_own_attempts() -> None:
    attempts: dict[str, list[int]] = {}

    class Failing(AsyncParallelBatchNode):
        async def prep_async(self, shared: Shared) -> list[str]:
            return ["a", "b", "c", "d", "e"]

        async def exec_async(self, prep_res: str) -> None:
            attempts.setdefault(prep_res, []).append(self.cur_retry)
            for _ in range(ord(prep_res) - ord("a")):
                await asyncio.sleep(0)
            raise ValueError(prep_res)

        async def exec_fallback_async(self, prep_res: str, exc: Exception) -> str:
            return f"{prep_res}{self.cur_retry}"

        async def post_async(self, shared: Shared, prep_res: object, exec_res: object) -> object:
            return exec_res

    assert await Failing(max_retries=3).run_async({}) == ["a2", "b2", "c2", "d2", "e2"]
    assert attempts == {key: [0, 1, 2] for key in "abcde"}


async def test_a_flow_inside_of_an_item_leaves_the_counter_of_that_item_alone() -> None:
    others_tried = asyncio.Event()

    class Outer(ParallelBatchNode):
        def prep(self, shared: Shared) -> list[str]:
            return ["slow", "flaky"]

        async def exec(self, prep_res: str) -> int:
            if prep_res == "slow":
                await Flow(Node()).run_async({})
                await others_tried.wait()
            elif self.cur_retry < 2:
                raise ValueError
            else:
                others_tried.set()
            return self.cur_retry

        def post(self, shared: Shared, prep_res: object, exec_res: object) -> object:
            return exec_res

    assert await Outer(max_retries=3).run_async({}) == [0, 2]


class Gate(ParallelBatchNode):
    """Runs its items until they are let go; counts how many run at once."""

    def __init__(self, concurrency: int | None = None) -> None:
        super().__init__(concurrency=concurrency)
        self.running: list[int] = []
        self.most: list[int] = []
        self.gates = [asyncio.Event() for _ in range(6)]

    def prep(self, shared: Shared) -> list[int]:
        return [*range(6)]

    async def exec(self, prep_res: int) -> int:
        self.running.append(prep_res)
        self.most.append(len(self.running))
        try:
            await self.gates[prep_res].wait()
        finally:
            self.running.remove(prep_res)
        if prep_res == 5:
            raise ValueError("five")
        return prep_res * 10

    def post(self, shared: Shared, prep_res: object, exec_res: list[int]) -> list[int]:
        return exec_res


async def test_no_more_items_run_at_once_than_may() -> None:
    node = Gate(concurrency=2)
    run = asyncio.create_task(node.run_async({}))
    for gate in node.gates[:5]:
        await asyncio.sleep(0)
        gate.set()
    node.gates[5].set()
    with pytest.raises(ValueError, match="five"):
        await run
    assert max(node.most) == 2
    assert len(node.most) == 6


async def test_results_are_in_the_order_of_the_items_whatever_ends_first() -> None:
    node = Gate()
    node.prep = lambda _shared: [*range(5)]  # type: ignore[method-assign, assignment]  # another for this node only
    run = asyncio.create_task(node.run_async({}))
    await asyncio.sleep(0)
    for gate in reversed(node.gates):
        gate.set()
        await asyncio.sleep(0)
    assert await run == [0, 10, 20, 30, 40]
    assert max(node.most) == 5


async def test_the_first_error_ends_the_other_items_before_it_is_raised() -> None:
    node = Gate()
    node.gates[5].set()
    with pytest.raises(ValueError, match="five"):
        await node.run_async({})
    assert node.running == []


async def test_cancelling_a_batch_cancels_its_items() -> None:
    node = Gate()
    run = asyncio.create_task(node.run_async({}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(node.running) == 6
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert node.running == []


class Add(Node):
    """Adds a parameter to a list."""

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> str:
        if self.params["key"] == "bad":
            raise ValueError("bad")
        shared.setdefault("keys", []).append(dict(self.params))
        return "added"


def rounds(shared: Shared) -> Value:
    return shared.get("rounds")


class Rounds(BatchFlow):
    def prep(self, shared: Shared) -> Value:
        return rounds(shared)

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        shared["post"] = (prep_res, exec_res)


class RoundsBeside(ParallelBatchFlow):
    prep, post = Rounds.prep, Rounds.post


class AsyncRounds(AsyncBatchFlow):
    async def prep_async(self, shared: Shared) -> Value:
        return rounds(shared)

    async def post_async(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        shared["post"] = (prep_res, exec_res)


class AsyncRoundsBeside(AsyncParallelBatchFlow):
    prep_async, post_async = AsyncRounds.prep_async, AsyncRounds.post_async


@pytest.mark.parametrize("kind", [Rounds, RoundsBeside, AsyncRounds, AsyncRoundsBeside])
async def test_a_batch_flow_runs_once_for_each_dict_of_parameters(kind: type[BatchFlow]) -> None:
    shared: Shared = {"rounds": [{"key": "a"}, {"key": "b", "own": 2}]}
    flow = kind(Add())
    flow.set_params({"own": 1, "kept": True})
    assert await flow.run_async(shared) is None
    assert shared["keys"] == [
        {"own": 1, "kept": True, "key": "a"},
        {"own": 2, "kept": True, "key": "b"},
    ]
    assert shared["post"] == (shared["rounds"], None)


@pytest.mark.parametrize("kind", [Rounds, RoundsBeside, AsyncRounds, AsyncRoundsBeside])
async def test_a_batch_flow_without_rounds_gives_its_post_an_empty_list(kind: type[BatchFlow]) -> None:
    shared: Shared = {}
    await kind(Add()).run_async(shared)
    assert shared["post"] == ([], None)


def test_a_batch_flow_stops_at_the_first_error() -> None:
    shared: Shared = {"rounds": [{"key": "a"}, {"key": "bad"}, {"key": "c"}]}
    with pytest.raises(ValueError, match="bad"):
        Rounds(Add()).run(shared)
    assert [params["key"] for params in shared["keys"]] == ["a"]


def test_a_batch_flow_returns_no_action_by_itself() -> None:
    class Once(BatchFlow):
        def prep(self, shared: Shared) -> list[Shared]:
            return [{"key": "a"}]

    assert Once(Add()).run({}) is None


def test_the_parameters_of_nested_batches_come_together() -> None:
    class Outer(BatchFlow):
        def prep(self, shared: Shared) -> list[Shared]:
            return [{"group": "A"}, {"group": "B"}]

    class Inner(BatchFlow):
        def prep(self, shared: Shared) -> list[Shared]:
            return [{"key": f"{self.params['group']}{n}"} for n in (1, 2)]

    shared: Shared = {}
    Outer(Inner(Add())).run(shared)
    assert [(p["group"], p["key"]) for p in shared["keys"]] == [
        ("A", "A1"),
        ("A", "A2"),
        ("B", "B1"),
        ("B", "B2"),
    ]


async def test_rounds_beside_each_other_keep_to_their_limit() -> None:
    running, most = [0], [0]

    class Step(Node):
        async def exec(self, prep_res: object) -> None:
            running[0] += 1
            most[0] = max(most[0], running[0])
            await asyncio.sleep(0)
            running[0] -= 1

    class Limited(ParallelBatchFlow):
        def prep(self, shared: Shared) -> list[Shared]:
            return [{"n": n} for n in range(7)]

    await Flow(Limited(Step(), concurrency=3)).run_async({})
    assert most == [3]
