"""The decisions of durable flows: wherever its worker dies, a flow ends as it would have in one process."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from broker_actors.actor.plain import simplify
from broker_actors.core import codec
from broker_actors.core.address import Address
from broker_actors.flow import BatchFlow, Flow, Node, read_promise
from broker_actors.flow.durable import fans, moves, rounds
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import CONCURRENCY, ITEMS_MAX, Ended, Report, Run, Status
from broker_actors.flow.durable.strand import Fan, Frame
from broker_actors.flow.durable.visiting import Moved, Visitor
from broker_actors.flow.graph import BaseNode, Value
from broker_actors.flow.naming import names_of
from broker_actors.flow.waiting import Promise

Shared = dict[str, Any]
STEPS_MAX = 40
ACTIONS = ("default", "a", "b")


class Scripted(Node):
    """Takes the actions of a script, which the flow shares, one after the other."""

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> Value:
        shared["ran"].append([self.label, dict(self.params)])
        return shared["script"].pop(0) if shared["script"] else "end of the script"


class Rounds(BatchFlow):
    def prep(self, shared: Shared) -> Value:
        return [{f"round of {self.label}": n} for n in range(2)]

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> Value:
        shared["ran"].append([self.label, prep_res, exec_res])
        return "a"


@dataclass
class Wiring:
    """A flow to build: kinds of nodes, and which leads where by which action."""

    kinds: list[str]
    edges: list[tuple[int, str, int]]
    inner: Wiring | None = field(default=None)

    def build(self, prefix: str = "") -> list[BaseNode]:
        nodes: list[BaseNode] = []
        for number, kind in enumerate(self.kinds):
            start = self.inner.build(f"{prefix}{number}.")[0] if self.inner and kind != "node" else None
            node: BaseNode = (
                Scripted() if start is None else Rounds(start) if kind == "batch" else Flow(start)
            )
            node.label = f"{prefix}{number}"
            nodes.append(node)
        for source, action, target in self.edges:
            if action not in nodes[source % len(nodes)].successors:
                nodes[source % len(nodes)].next(nodes[target % len(nodes)], action)
        return nodes


def wirings(depth: int) -> st.SearchStrategy[Wiring]:
    edges = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(ACTIONS), st.integers(0, 3)), max_size=6)
    kinds = st.lists(st.sampled_from(("node", "flow", "batch")), min_size=1, max_size=4)
    inner = st.none() if depth == 0 else st.none() | wirings(depth - 1)
    return st.builds(Wiring, kinds, edges, inner)


_STORED = TypeAdapter(tuple[Run, Shared])


def stored(run: Run, shared: Shared) -> bytes:
    """Return what a commit would write."""
    return codec.encode([run, shared], simplify=simplify)


async def durably(flow: BaseNode, shared: Shared, deaths: set[int]) -> tuple[Shared, object] | None:
    """Run *flow* step by step from stored bytes, some steps twice; None if it does not end in time."""
    plan, state = Plan(flow), stored(Run(Status.RUNNING), shared)
    for number in range(STEPS_MAX):
        if number in deaths:
            await _step(plan, state)
        run, now = await _step(plan, state)
        if run.status is Status.DONE:
            return now, run.action
        state = stored(run, now)
    return None


async def _step(plan: Plan, state: bytes) -> tuple[Run, Shared]:
    run, now = _STORED.validate_python(codec.decode(state))
    assert isinstance(await Visitor(plan, run, [run], now, Address("Story", "s1")).step(), Moved)
    rounds.following(plan, run, [run])
    return run, now


@pytest.mark.filterwarnings("ignore:Flow ends")
@given(wirings(2), st.lists(st.sampled_from(ACTIONS), max_size=8), st.sets(st.integers(0, STEPS_MAX)))
def test_a_run_that_dies_anywhere_ends_as_it_would_have_in_one_process(
    wiring: Wiring, script: list[str], deaths: set[int]
) -> None:
    shared: Shared = {"script": script, "ran": []}
    found = asyncio.run(durably(Flow(wiring.build()[0]), shared, deaths))
    if found is not None:
        here: Shared = {"script": list(script), "ran": []}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            action = Flow(wiring.build()[0]).run(here)
        assert found == (here, action)


@given(wirings(2))
def test_names_are_of_one_node_each_and_the_same_in_every_process(wiring: Wiring) -> None:
    flow, again = Flow(wiring.build()[0]), Flow(wiring.build()[0])
    names = names_of(flow)
    assert [*names] == [*names_of(again)]
    assert len({id(node) for node in names.values()}) == len(names)
    assert flow.mermaid() == again.mermaid()


@given(
    st.integers(0, 40),
    st.none() | st.integers(1, 12),
    st.lists(st.integers(0, 1_000), max_size=150),
)
def test_every_item_runs_once_and_no_more_than_may_at_once(
    count: int, concurrency: int | None, choices: list[int]
) -> None:
    run = Run(Status.RUNNING, step=3, frames=[Frame("", "Items", {})])
    run.fan = fans.fanned(run, [f"item {n}" for n in range(count)])
    lanes = fans.lanes_for(run, run.fan, concurrency, "s1")
    started = [item for lane in lanes if (item := fans.dispatched(run, lane)) is not None]
    pending = [
        Report(item.step, item.index, lane, Ended.DONE, f"done {item.value}")
        for lane, item in zip(lanes, started, strict=True)
    ]
    old: list[Report] = []
    chosen = iter(choices + [0] * count)
    while pending:
        assert len(run.fan.running) <= (concurrency or CONCURRENCY)
        choice = next(chosen)
        if old and choice % 3 == 2:
            assert not fans.reported(run, old[choice % len(old)]), "a report is news once"
            continue
        report = pending.pop(choice % len(pending))
        assert fans.reported(run, report)
        old.append(report)
        item = fans.dispatched(run, report.lane)
        if item is not None:
            started.append(item)
            pending.append(Report(item.step, item.index, report.lane, Ended.DONE, f"done {item.value}"))
    assert run.fan.is_complete
    assert sorted(item.index for item in started) == [*range(count)]
    assert run.fan.results == {str(n): f"done item {n}" for n in range(count)}


@given(st.integers(0, 250), st.integers(0, 260))
def test_who_follows_gets_every_number_once_also_of_what_is_forgotten(visits: int, after: int) -> None:
    run = Run(Status.RUNNING)
    step = Scripted()
    step >> step
    plan = Plan(Flow(step))
    moves.entered(plan, run, None)
    for number in range(visits):
        moves.followed(plan, run, run, "Scripted", "default" if number % 2 else None)
    found = moves.progress(run, after)
    assert [visit.number for visit in found] == [*range(after + 1, visits + 1)]
    assert all(visit.node for visit in found[-100:])
    assert not any(visit.node for visit in found[:-100])


def test_a_batch_has_a_bound() -> None:
    with pytest.raises(OverflowError, match="at most 1000"):
        fans.fanned(Run(), [None] * (ITEMS_MAX + 1))


def test_no_two_lanes_of_a_run_are_the_same_and_there_is_a_bound() -> None:
    run = Run(Status.RUNNING, frames=[Frame("", "Items", {})])
    run.fan = Fan(4, running={"s1~0": 0, "s1~2": 1})
    assert fans.lanes_for(run, Fan(3), None, "s1") == ["s1~1", "s1~3", "s1~4"]
    run.fan.running = {f"s1~{n}": n for n in range(898)}
    assert fans.lanes_for(run, Fan(5), None, "s1") == ["s1~898", "s1~899"], "as many as there is room for"
    run.fan.running = {f"s1~{n}": n for n in range(900)}
    assert fans.lanes_for(run, Fan(0), None, "s1") == []
    with pytest.raises(OverflowError, match="900 items run at once"):
        fans.lanes_for(run, Fan(2), None, "s1")


def test_a_run_that_waits_since_before_rounds_could_is_found_waiting() -> None:
    frames = [{"flow": "", "at": "Approve", "params": {}}]
    stored = {"status": "waiting", "step": 2, "frames": frames, "is_prepared": True, "arrived": {}}
    run = TypeAdapter(Run).validate_python(stored)
    assert [strand.here for strand in run.waiting] == ["Approve@2"]
    assert run.rests


def test_what_can_be_compensated_has_a_bound() -> None:
    run = Run()
    for _ in range(1_000):
        moves.remember_undo(run, "Book", {}, None)
    with pytest.raises(OverflowError, match="at most 1000"):
        moves.remember_undo(run, "Book", {}, None)


@given(
    st.text(min_size=1, max_size=20).filter(str.isprintable),
    st.text(st.characters(exclude_characters="#@"), min_size=1, max_size=20),
    st.integers(0, 10_000),
)
def test_a_promise_is_the_same_after_its_way_as_text(actor_id: str, node: str, visit: int) -> None:
    promise = Promise(Address("Story", actor_id), node, visit)
    assert read_promise(str(promise)) == promise
