"""Rounds beside each other: wherever workers die, and in whatever order things happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from broker_actors.actor.plain import simplify
from broker_actors.core import codec
from broker_actors.core.address import Address
from broker_actors.flow import Flow, Node, ParallelBatchFlow, Status
from broker_actors.flow.durable import fans, rounds, visiting
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import Ended, Item, Report, Run
from broker_actors.flow.durable.visiting import Fanned, Moved, Visitor
from broker_actors.flow.graph import BaseNode, Value

Shared = dict[str, Any]
ADDRESS = Address("Story", "s1")


class Scripted(Node):
    """Takes part in any order; notes each function that ran, which `post` makes durable."""

    def prep(self, shared: Shared) -> str:
        shared["begun"] += 1
        return f"{self.params['round']}"

    def exec(self, prep_res: str) -> str:
        return f"{self.label} of {prep_res}"

    def post(self, shared: Shared, prep_res: str, exec_res: str) -> Value:
        shared["ran"].setdefault(prep_res, []).append(exec_res)
        return shared["script"].get(prep_res, {}).pop(self.label, None)


class Many(ParallelBatchFlow):
    def prep(self, shared: Shared) -> list[Shared]:
        return [{"round": f"{self.params.get('round', '')}{self.label}{n}"} for n in range(shared["count"])]

    def post(self, shared: Shared, prep_res: list[Shared], exec_res: None) -> str:
        shared["joined"].append([self.label, self.params.get("round", ""), len(prep_res)])
        return "b"


def labelled(node: BaseNode, label: str) -> BaseNode:
    node.label = label
    return node


def branching(limit: int | None, inner: int | None) -> Flow:
    """Return a flow of rounds with rounds in them, in which nodes lead elsewhere by their actions."""
    one, two, three, last = (labelled(Scripted(), name) for name in "pqrs")
    nested = labelled(Many(three, concurrency=inner), "n")
    one - "default" >> two
    one - "a" >> nested
    nested - "b" >> last
    two - "a" >> one
    return Flow(labelled(Many(one, concurrency=limit), "m"))


_STORED = TypeAdapter(tuple[Run, Shared])


class Simulated:
    """A durable flow without an actor: what was stored, and which messages are on their way."""

    def __init__(self, flow: BaseNode, shared: Shared, pick: Callable[[int], int]) -> None:
        self.plan = Plan(flow)
        self.pick = pick
        self.stored = self.encoded(Run(Status.RUNNING), shared)
        self.advances = [0]
        self.items: dict[str, Item] = {}

    def encoded(self, run: Run, shared: Shared) -> bytes:
        return codec.encode([run, shared], simplify=simplify)

    def decoded(self) -> tuple[Run, Shared]:
        return _STORED.validate_python(codec.decode(self.stored))

    async def message(self) -> None:
        """Handle any message that is on its way; or die while it is, and handle it once more."""
        lanes = sorted(self.items)
        number = self.pick(len(self.advances) + len(lanes))
        if number < len(self.advances):
            step = self.advances.pop(number)
            if self.pick(2):
                await self.advanced(step)  # and nothing of it was committed
            advances, items, self.stored = await self.advanced(step)
            self.advances += advances
        else:
            lane = lanes[number - len(self.advances)]
            items = await self.worked(lane)
        for lane, item in items.items():
            assert lane not in self.items, "a lane has one item at a time"
            self.items[lane] = item

    async def advanced(self, step: int) -> tuple[list[int], dict[str, Item], bytes]:
        run, shared = self.decoded()
        line = run.line(step)
        assert line, "no message is stale unless a run ends early"
        match await Visitor(self.plan, run, line, shared, ADDRESS).step():
            case Moved():
                going = [strand.step for strand in rounds.following(self.plan, run, line)]
                return going, {}, self.encoded(run, shared)
            case Fanned(lanes):
                items = {lane: fans.dispatched(line[-1], lane) for lane in lanes}
                return [], {lane: item for lane, item in items.items() if item}, self.encoded(run, shared)
            case other:
                raise AssertionError(other)

    async def worked(self, lane: str) -> dict[str, Item]:
        item = self.items.pop(lane)
        if self.pick(2):
            await visiting.work(self.plan, item)
        value = await visiting.work(self.plan, item)
        run, shared = self.decoded()
        report = Report(item.step, item.index, lane, Ended.DONE, value)
        strand = fans.reported(run, report)
        assert strand is not None
        assert fans.reported(run, report) is None, "a report is news once"
        self.advances.append(strand.step)
        self.stored = self.encoded(run, shared)
        return {}


def script_of(actions: list[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    script: dict[str, dict[str, str]] = {}
    for which, label, action in actions:
        script.setdefault(which, {})[label] = action
    return script


_ACTIONS = st.lists(
    st.tuples(st.sampled_from(["m0", "m1", "m2"]), st.sampled_from("pq"), st.sampled_from("a")), max_size=6
)
_LIMITS = st.none() | st.integers(1, 3)


@pytest.mark.filterwarnings("ignore:Flow ends")
@given(st.integers(0, 3), _LIMITS, _LIMITS, _ACTIONS, st.data())
def test_rounds_end_as_they_would_have_in_one_process_wherever_they_die_and_whatever_comes_first(
    count: int, limit: int | None, inner: int | None, actions: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    def shared() -> Shared:
        return {"count": count, "begun": 0, "ran": {}, "joined": [], "script": script_of(actions)}

    def pick(below: int) -> int:
        return data.draw(st.integers(0, below - 1)) if below > 1 else 0

    async def durably() -> Shared:
        simulated = Simulated(branching(limit, inner), shared(), pick)
        while True:
            run, now = simulated.decoded()
            for strand in run.strands():
                most = (limit if strand is run else inner) or 8
                assert len(strand.beside) <= most
            if run.status is Status.DONE:
                assert not simulated.advances
                assert not simulated.items
                return now
            await simulated.message()

    here = shared()
    branching(limit, inner).run(here)
    found = asyncio.run(durably())
    for way in (here, found):
        way["joined"].sort()
    assert found == here
