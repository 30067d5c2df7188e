"""Flows that are changed while they run: what is still there goes on, what is not is waited for."""

# pyright: reportUnusedExpression=false

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors import BusinessError
from broker_actors.cli.flow_views import fields, row, run_of
from broker_actors.core.address import Address
from broker_actors.flow import (
    BaseNode,
    BatchNode,
    Flow,
    Node,
    ParallelBatchFlow,
    ParallelBatchNode,
    Status,
    Wait,
)
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import Run
from broker_actors.flow.durable.standstill import (
    PAUSE_SECONDS,
    PAUSE_SECONDS_MAX,
    AnotherReleaseError,
    pause_seconds,
)
from broker_actors.flow.graph import Value
from broker_actors.testing import ActorKit, TurnEnded, VirtualClock, actor_test
from tests.unit.flow.story import chain, durable

Shared = dict[str, Any]
ADDRESS = Address("Story", "s1")


class Stage:
    """What items tell the test, and what they wait for."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.held = {item: asyncio.Event() for item in ("ab", "cd")}

    async def hold(self, item: str) -> None:
        """Be in the middle of *item* until it is let go."""
        self.begun.put_nowait(item)
        await self.held[item].wait()

    def let_all_go(self) -> None:
        """Let every item go on, now and later."""
        for held in self.held.values():
            held.set()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    monkeypatch.setattr(Held, "stage", stage, raising=False)
    return stage


class Held:
    """A mixin of nodes whose items are held on the stage."""

    stage: ClassVar[Stage]


class Note(Node):
    """Notes that it ran."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        shared.setdefault("ran", []).append(self.label)


class Booked(Note):
    def exec(self, prep_res: object) -> str:
        return self.label

    def compensate(self, shared: Shared, exec_res: object) -> None:
        shared.setdefault("taken back", []).append(exec_res)


class Later(Note):
    """Succeeds at its second attempt, an hour later."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.max_retries, self.wait = 2, 3600

    def exec(self, prep_res: object) -> None:
        if self.cur_retry == 0:
            raise ConnectionError


class Ask(Wait):
    label = "Ask"

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        shared["answer"] = exec_res


def items(kind: type[BaseNode], label: str = "Items") -> Value:
    """Return a node of *kind* that holds its items until they are let go, and can be taken back."""

    class Items(kind):  # type: ignore[misc,valid-type]  # whatever kind another release makes of it
        def prep(self, shared: Shared) -> list[str]:
            return ["ab", "cd"]

        async def exec(self, prep_res: str) -> str:
            await Held.stage.hold(prep_res)
            return prep_res.upper()

        def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
            shared["items"] = exec_res

        def compensate(self, shared: Shared, exec_res: object) -> None:
            shared.setdefault("taken back", []).append(exec_res)

    node = Items()
    node.label = label
    return node


def release(story: Value, flow: BaseNode) -> None:
    """Let *story* be of another release from now on, in which it runs *flow*."""
    story.flow = flow
    story._plan = Plan(flow)


async def started(kit: ActorKit, ref_class: Value) -> Value:
    ref = kit.ref(ref_class, "s1")
    await ref.start({})
    return ref


def is_report(ended: TurnEnded) -> bool:
    return ended.method == "reported"


async def stored(kit: ActorKit) -> Run:
    run = run_of(await kit.system.backend.store.peek(ADDRESS))
    assert run is not None
    return run


async def test_a_run_goes_on_where_it_stands_whatever_changes_around_it() -> None:
    story, ref_class = durable(chain(Note("a"), Later("b"), Note("c")))
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class)
        await kit.settled(delayed=False)
        release(story, chain(Note("new"), Later("b"), Note("between"), Note("d")))
        await kit.advance(3600)
        await kit.settled()
        assert await ref.result() == {"ran": ["a", "b", "between", "d"]}


async def test_a_run_whose_node_is_gone_says_so_looks_again_and_goes_on_when_it_is_back() -> None:
    story, ref_class = durable(chain(Note("a"), Later("b"), Note("c")))
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class)
        await kit.settled(delayed=False)
        release(story, chain(Note("a"), Later("renamed"), Note("c")))
        await kit.advance(3600 + PAUSE_SECONDS)
        problem = (await ref.status()).problem
        assert problem.startswith(
            "the flow has no node 'b', and a run needs it (it has a, renamed, c): deploy"
        )
        run = await stored(kit)
        assert run.status is Status.RUNNING
        assert row("s1", run, 0)[-1] == fields(ADDRESS, run, 0)["held up"] == problem
        assert '["b (gone)"]' in await ref.mermaid()
        assert await kit.dead_letters(story) == []

        release(story, chain(Note("a"), Later("b"), Note("c")))
        await kit.advance(PAUSE_SECONDS_MAX)
        await kit.settled()
        assert await ref.result() == {"ran": ["a", "b", "c"]}
        assert (await ref.status()).problem == ""


@pytest.mark.parametrize("first", [Booked, Note])
async def test_a_run_that_is_held_up_can_be_cancelled_and_what_it_did_is_taken_back(
    first: type[Note],
) -> None:
    story, ref_class = durable(chain(first("hotel"), Later("b")))
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class)
        await kit.settled(delayed=False)
        release(story, chain(first("hotel"), Note("c")))
        await kit.advance(3600)
        await ref.cancel("no more")
        await kit.settled()
        standing = await ref.status()
        assert (standing.status, standing.problem) == (Status.CANCELLED, "")
        assert (await stored(kit)).undo == []


async def test_what_is_to_be_taken_back_waits_for_the_release_that_can() -> None:
    story, ref_class = durable(chain(Booked("hotel"), Booked("flight"), Ask()))
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class)
        await kit.settled(delayed=False)
        release(story, chain(Booked("flight"), Ask()))
        await ref.cancel("no more")
        await kit.advance(PAUSE_SECONDS)
        standing = await ref.status()
        assert (standing.status, standing.uncompensated) == (Status.COMPENSATING, [])
        assert standing.problem.startswith("the flow has no node 'hotel'")
        release(story, chain(Booked("hotel"), Booked("flight"), Ask()))
        await kit.advance(PAUSE_SECONDS_MAX)
        await kit.settled()
        standing = await ref.status()
        assert (standing.status, standing.error, standing.problem) == (Status.CANCELLED, "no more", "")
        assert (await stored(kit)).uncompensated == []


async def test_nobody_completes_a_wait_that_is_gone_and_everybody_does_when_it_is_back() -> None:
    flow = chain(Ask(), Note("after"))
    story, ref_class = durable(flow)
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class)
        await kit.settled()
        for other, problem in (
            (Note("Ask"), "Ask waits for nobody in this release, but the run does"),
            (Note("b"), "the flow has no node 'Ask'"),
        ):
            release(story, chain(other))
            with pytest.raises(BusinessError, match=problem) as refused:
                await ref.complete("Ask", "yes")
            assert refused.value.message.endswith("complete it again then")
        with pytest.raises(BusinessError, match=r"no node 'Nobody'.*\(it has b\)$"):
            await ref.complete("Nobody", "yes")
        release(story, flow)
        await ref.complete("Ask", "yes")
        await kit.settled()
        assert await ref.result() == {"answer": "yes", "ran": ["after"]}


async def test_a_wait_that_was_completed_or_is_over_is_no_other_node() -> None:
    flow = chain(Ask(timeout=60), Note("after"))
    story, ref_class = durable(flow)
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class)
        await kit.settled(delayed=False)
        release(story, chain(Note("Ask")))
        await kit.advance(60 + PAUSE_SECONDS)
        assert (await ref.status()).problem.startswith("'Ask' is no Wait any more")
        release(story, flow)
        await kit.advance(PAUSE_SECONDS_MAX)
        await kit.settled()
        assert (await ref.status()).error == "Ask: TimeoutError: nobody has completed Ask within 60 seconds"


async def test_items_of_a_node_that_is_gone_wait_and_are_lost_by_nobody(stage: Stage) -> None:
    story, ref_class = durable(chain(Note("a"), items(ParallelBatchNode)))
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class)
        assert {await stage.begun.get(), await stage.begun.get()} == {"ab", "cd"}
        stage.held["ab"].set()
        await kit.wait_for(TurnEnded, is_report)
        await kit.restart()
        release(story, Flow(Note("a")))
        await kit.restart()
        await kit.advance(PAUSE_SECONDS)
        standing = await ref.status()
        assert (standing.status, standing.items) == (Status.RUNNING, 1)
        assert standing.problem.startswith("the flow has no node 'Items'")
        release(story, chain(Note("a"), items(ParallelBatchNode)))
        stage.let_all_go()
        await kit.advance(PAUSE_SECONDS_MAX)
        await kit.settled()
        assert await ref.result() == {"ran": ["a"], "items": ["AB", "CD"]}


async def test_items_that_had_ended_are_taken_back_by_the_release_that_has_their_node(stage: Stage) -> None:
    flow = Flow(items(ParallelBatchNode))
    story, ref_class = durable(flow)
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class)
        assert {await stage.begun.get(), await stage.begun.get()} == {"ab", "cd"}
        stage.held["ab"].set()
        await kit.wait_for(TurnEnded, is_report)
        release(story, Flow(Note("a")))
        await ref.cancel("no more")
        await kit.advance(PAUSE_SECONDS)
        assert (await ref.status()).status is Status.COMPENSATING
        release(story, flow)
        await kit.advance(PAUSE_SECONDS_MAX)
        await kit.settled()
        run = await stored(kit)
        assert (run.status, run.uncompensated, run.undo) == (Status.CANCELLED, [], [])


@pytest.mark.parametrize("kind", [BatchNode, Node, Wait])
async def test_what_lanes_have_begun_they_end_whatever_becomes_of_their_node(
    stage: Stage, kind: type[BaseNode]
) -> None:
    story, ref_class = durable(Flow(items(ParallelBatchNode)))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class)
        assert {await stage.begun.get(), await stage.begun.get()} == {"ab", "cd"}
        release(story, Flow(items(kind)))
        await kit.restart()
        stage.let_all_go()
        await kit.settled()
        assert await ref.result() == {"items": ["AB", "CD"]}


@pytest.mark.parametrize("after", [ParallelBatchNode, BatchNode])
async def test_what_a_round_has_given_to_a_lane_stays_whole(stage: Stage, after: type[BaseNode]) -> None:
    class Rounds(ParallelBatchFlow):
        def prep(self, shared: Shared) -> list[Shared]:
            return [{}]

    story, ref_class = durable(Flow(Rounds(items(BatchNode))))
    async with actor_test(story) as kit:
        ref = await started(kit, ref_class)
        assert await stage.begun.get() == "ab"
        release(story, Flow(Rounds(items(after))))
        await kit.restart()
        stage.let_all_go()
        await kit.settled()
        assert await ref.result() == {"items": ["AB", "CD"]}


async def test_a_node_that_becomes_a_flow_is_not_entered_in_the_middle() -> None:
    story, ref_class = durable(chain(Note("a"), Later("b")))
    async with actor_test(story, clock=VirtualClock()) as kit:
        ref = await started(kit, ref_class)
        await kit.settled(delayed=False)
        inner = Flow(Note("inside"))
        inner.label = "b"
        release(story, chain(Note("a"), inner))
        await kit.advance(3600 + PAUSE_SECONDS)
        assert (await ref.status()).problem.startswith("'b' is a flow now")
        release(story, chain(Note("a"), Later("b")))
        await kit.advance(PAUSE_SECONDS_MAX)
        await kit.settled()
        assert await ref.result() == {"ran": ["a", "b"]}


@given(st.integers(0, 100_000))
def test_pauses_between_looks_grow_and_are_bounded(looks: int) -> None:
    assert PAUSE_SECONDS <= pause_seconds(looks) <= pause_seconds(looks + 1) <= PAUSE_SECONDS_MAX
    assert pause_seconds(100) == PAUSE_SECONDS_MAX


def test_a_node_that_was_wired_in_after_the_flow_was_named_is_told_apart_from_the_end() -> None:
    first = Note("First")
    plan = Plan(Flow(start=first))
    first >> Note("Later")
    with pytest.raises(AnotherReleaseError, match="too late for a name"):
        plan.following("", "First", "default")
