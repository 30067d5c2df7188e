"""Durable flows: a node is a turn, what the nodes share is state, and an end is an end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from broker_actors import BusinessError, ConfigurationError
from broker_actors.cli.actor_views import state_of
from broker_actors.core.address import Address
from broker_actors.flow import (
    BatchFlow,
    DurableFlow,
    Flow,
    Node,
    ParallelBatchNode,
    Progress,
    Standing,
    Status,
    Wait,
    read_promise,
)
from broker_actors.flow.durable.lane import Lane
from broker_actors.flow.durable.run import Ended, Report
from broker_actors.flow.graph import Value
from broker_actors.testing import ActorKit, actor_test
from tests.unit.flow.story import chain, durable

Shared = dict[str, Any]


class Note(Node):
    """Notes that it ran."""

    def __init__(self, name: str, action: object = None) -> None:
        super().__init__()
        self.label = name
        self.action = action

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> Value:
        shared.setdefault("ran", []).append(self.label)
        return self.action


class Booked(Note):
    """Notes what it has booked, and takes it back."""

    async def exec(self, prep_res: object) -> str:
        return f"booking of {self.label}"

    async def compensate(self, shared: Shared, exec_res: str) -> None:
        shared.setdefault("taken back", []).append(exec_res)


class Broken(Note):
    def exec(self, prep_res: object) -> None:
        raise ValueError("broken")

    def prep(self, shared: Shared) -> None:
        shared["spoilt"] = True


async def run(kit: ActorKit, ref_class: Value, shared: Shared | None = None) -> Value:
    """Start a run and return its ref once it has come to rest."""
    ref = kit.ref(ref_class, "s1")
    await ref.start(shared or {})
    await kit.settled(delayed=False)
    return ref


async def test_nodes_run_turn_after_turn_and_share_what_is_stored() -> None:
    story, ref_class = durable(chain(Note("a"), Note("b"), Note("c", "end")))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"given": 1})
        assert await ref.result() == {"given": 1, "ran": ["a", "b", "c"]}
        assert await ref.status() == Standing(Status.DONE, step=5, action="end")
        advances = [turn for turn in kit.turns if turn.method == "advance"]
    assert len(advances) == 5, "into the flow, three nodes, out of the flow"


async def test_a_run_goes_on_in_another_worker() -> None:
    story, ref_class = durable(chain(Note("a"), Wait(), Note("b")))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        await kit.restart()
        await ref.complete("Wait", "yes")
        await kit.settled()
        assert await ref.result() == {"ran": ["a", "b"]}


async def test_nested_flows_and_batches_do_what_they_do_in_one_process() -> None:
    class Inner(Flow):
        def prep(self, shared: Shared) -> str:
            shared["prepared"] = dict(self.params)
            return "inner"

        def post(self, shared: Shared, prep_res: str, exec_res: str) -> str:
            return f"{prep_res} {exec_res}"

    class Rounds(BatchFlow):
        def prep(self, shared: Shared) -> Value:
            return shared["rounds"]

        def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
            shared["post"] = [prep_res, exec_res]

    class Keyed(Node):
        def post(self, shared: Shared, prep_res: object, exec_res: object) -> str:
            shared.setdefault("keys", []).append(dict(self.params))
            return "left"

    inner = Inner(Keyed())
    inner - "inner left" >> Note("after", "done")
    rounds = Rounds(inner)
    rounds.set_params({"own": 1})
    flow = Flow(rounds)
    flow.set_params({"outer": 0})
    story, ref_class = durable(flow)
    for given in ([{"key": "a"}, {"key": "b"}], []):
        here: Shared = {"rounds": given}
        last = await flow.run_async(here)
        async with actor_test(story) as kit:
            ref = await run(kit, ref_class, {"rounds": given})
            assert await ref.result() == here
            assert (await ref.status()).action == last


class Squares(ParallelBatchNode):
    def prep(self, shared: Shared) -> Value:
        return shared.get("numbers")

    def exec(self, prep_res: int) -> int:
        if prep_res < 0 and self.cur_retry == 0:
            raise ValueError(f"{prep_res} is negative")
        return prep_res * prep_res

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        shared["squares"] = [prep_res, exec_res]


@pytest.mark.parametrize("concurrency", [None, 1, 3])
async def test_items_of_a_parallel_batch_run_in_actors_of_their_own(concurrency: int | None) -> None:
    story, ref_class = durable(chain(Squares(max_retries=2, concurrency=concurrency)))
    numbers = [*range(-3, 20)]
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"numbers": numbers})
        assert (await ref.result())["squares"] == [numbers, [n * n for n in numbers]]
        lanes = {turn.address.id for turn in kit.turns if turn.method == "work"}
    assert lanes == {f"s1~{n}" for n in range(concurrency or 8)}


@pytest.mark.parametrize("numbers", [[], None])
async def test_a_parallel_batch_without_items_goes_on_at_once(numbers: object) -> None:
    story, ref_class = durable(chain(Squares()))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"numbers": numbers})
        assert (await ref.result())["squares"] == [numbers, []]


async def test_an_item_that_fails_ends_the_flow_with_its_error() -> None:
    story, ref_class = durable(chain(Booked("hotel"), Squares()))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"numbers": [1, -2, 3]})
        assert await ref.status() == Standing(
            Status.FAILED, "Squares", 4, error="Squares item 1: ValueError: -2 is negative"
        )
        assert await kit.dead_letters(story) == []


async def test_a_result_that_cannot_be_stored_fails_its_item() -> None:
    class Objects(Squares):
        def exec(self, prep_res: object) -> Value:
            return object()

    story, ref_class = durable(chain(Objects()))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"numbers": [1]})
        assert "Objects item 0: InvalidArgumentsError: " in (await ref.status()).error


@pytest.mark.parametrize("where", ["shared", "prep"])
async def test_a_step_that_cannot_be_stored_fails_the_flow(where: str) -> None:
    class Objects(Wait):
        def prep(self, shared: Shared) -> Value:
            if where == "shared":
                shared["thing"] = object()
                return None
            return object()

    story, ref_class = durable(chain(Booked("hotel"), Objects()))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        standing = await ref.status()
        assert standing.status is Status.FAILED
        assert "a value of type object cannot be sent or stored" in standing.error
        assert where in standing.error
        assert (await shared_of(kit))["taken back"] == ["booking of hotel"]


async def test_a_node_that_fails_ends_the_flow_and_what_was_completed_is_taken_back() -> None:
    story, ref_class = durable(
        chain(Booked("hotel"), Note("other"), Booked("flight"), Broken("b"), Note("c"))
    )
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        standing = await ref.status()
        assert (standing.status, standing.at, standing.error) == (Status.FAILED, "b", "b: ValueError: broken")
        with pytest.raises(BusinessError, match="the flow is failed: b: ValueError: broken") as refused:
            await ref.result()
        assert refused.value.code == "not_done"
        state = await shared_of(kit)
    assert state == {
        "ran": ["hotel", "other", "flight"],
        "taken back": ["booking of flight", "booking of hotel"],
    }


async def shared_of(kit: ActorKit) -> Value:
    """Return what the nodes of `Story/s1` share, as it is stored."""
    snapshot = await kit.system.backend.store.peek(Address("Story", "s1"))
    assert snapshot is not None
    state: Any = state_of(snapshot)
    return state["shared"]


async def test_what_cannot_be_taken_back_is_said_and_the_rest_is() -> None:
    class Stubborn(Booked):
        async def compensate(self, shared: Shared, exec_res: str) -> None:
            shared["touched"] = True
            raise OSError("closed on sundays")

    story, ref_class = durable(chain(Booked("hotel"), Stubborn("flight"), Broken("b")))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        standing = await ref.status()
        assert standing.status is Status.FAILED
        assert standing.uncompensated == ["flight: OSError: closed on sundays"]
        assert await shared_of(kit) == {"ran": ["hotel", "flight"], "taken back": ["booking of hotel"]}


async def test_what_taking_back_leaves_and_cannot_be_stored_is_said_and_the_rest_is_taken_back() -> None:
    class Careless(Booked):
        async def compensate(self, shared: Shared, exec_res: str) -> None:
            shared["thing"] = object()

    story, ref_class = durable(chain(Booked("hotel"), Careless("flight"), Broken("b")))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        (problem,) = (await ref.status()).uncompensated
        assert problem.startswith("flight: TypeError: shared: a value of type object")
        assert await shared_of(kit) == {"ran": ["hotel", "flight"], "taken back": ["booking of hotel"]}


async def test_long_waits_between_attempts_are_delayed_messages() -> None:
    class Later(Node):
        def prep(self, shared: Shared) -> int:
            shared["prepared"] = shared.get("prepared", 0) + 1
            return 10

        def exec(self, prep_res: int) -> int:
            if self.cur_retry < 1:
                raise ConnectionError
            return prep_res + self.cur_retry

        def post(self, shared: Shared, prep_res: int, exec_res: int) -> None:
            shared["result"] = exec_res

    story, ref_class = durable(chain(Later(max_retries=2, wait=1)))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        assert (await ref.status()).status is Status.RUNNING
        await kit.restart()
        await kit.settled()
        assert await ref.result() == {"prepared": 1, "result": 11}


async def test_a_message_about_a_step_that_is_over_does_nothing() -> None:
    class Later(Node):
        def exec(self, prep_res: object) -> None:
            if self.cur_retry == 0:
                raise ConnectionError

    story, ref_class = durable(chain(Note("a"), Later(max_retries=2, wait=3600)))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        before = await ref.status()
        assert before == Standing(Status.RUNNING, "Later", 2)
        for step in (0, 1, 3):
            await ref.advance.tell(step)
        await kit.settled(delayed=False)
        assert await ref.status() == before


async def test_long_waits_of_items_are_delayed_messages_too() -> None:
    story, ref_class = durable(chain(Squares(max_retries=2, wait=1)))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"numbers": [1, -2]})
        assert await ref.status() == Standing(Status.RUNNING, "Squares", 1, items=1, items_all=2)
        await kit.settled()
        assert (await ref.result())["squares"] == [[1, -2], [1, 4]]


class Approve(Wait):
    def prep(self, shared: Shared) -> str:
        shared["asked for"] = self.promise
        return "please"

    def accept(self, value: object) -> object:
        if not isinstance(value, bool):
            raise BusinessError("yes_or_no", "say true or false")
        return value

    def post(self, shared: Shared, prep_res: str, exec_res: object) -> str:
        shared["answer"] = [prep_res, exec_res]
        return "yes" if exec_res else "no"


def approval(timeout: float | None = None) -> Flow:
    """Return a flow that asks somebody."""
    approve = Approve(timeout)
    approve - "yes" >> Note("published")
    approve - "no" >> Note("thrown away")
    return chain(Booked("draft"), approve)


async def test_a_flow_waits_until_its_promise_is_completed() -> None:
    story, ref_class = durable(approval())
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        promise = "Story/s1#Approve@2"
        assert await ref.status() == Standing(
            Status.WAITING, "Approve", 2, promise=promise, promises=[promise]
        )
        with pytest.raises(BusinessError, match="say true or false"):
            await ref.complete("Approve", "perhaps")
        # Whoever has the promise needs nothing else.
        whole = read_promise(promise)
        await kit.ref(whole.flow.type, whole.flow.id).call("complete", promise, True)
        await kit.settled()
        assert await ref.result() == {
            "ran": ["draft", "published"],
            "asked for": promise,
            "answer": ["please", True],
        }


@pytest.mark.parametrize(
    ("promise", "code"),
    [
        ("Approve@1", "promise_over"),
        ("draft", "no_promise"),
        ("nobody", "no_promise"),
        ("Approve@x", "no_promise"),
        ("Approve@-1", "no_promise"),
        ("Approve@\u0662", "no_promise"),
        pytest.param("Approve@" + 5_000 * "9", "no_promise", id="more digits than Python reads"),
        ("Approve@" + 18 * "9", "promise_over"),
        ("Story/s2#Approve", "no_promise"),
        ("@1", "no_promise"),
        ("", "no_promise"),
    ],
)
async def test_what_completes_nothing_is_refused(promise: str, code: str) -> None:
    story, ref_class = durable(approval())
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        with pytest.raises(BusinessError) as refused:
            await ref.complete(promise, True)
        assert refused.value.code == code
        assert (await ref.status()).status is Status.WAITING


async def test_a_promise_can_be_completed_once_and_only_while_its_flow_runs() -> None:
    story, ref_class = durable(approval())
    async with actor_test(story) as kit:
        with pytest.raises(BusinessError, match="the flow is new"):
            await kit.ref(ref_class, "s1").complete("Approve", True)
        ref = await run(kit, ref_class)
        results = await asyncio.gather(
            *(ref.complete("Approve", True) for _ in range(2)), return_exceptions=True
        )
        await kit.settled()
        codes = [result.code for result in results if isinstance(result, BusinessError)]
        assert codes in (["already_completed"], ["not_running"])
        with pytest.raises(BusinessError, match="the flow is done"):
            await ref.complete("Approve", True)
        assert (await ref.result())["ran"] == ["draft", "published"]


async def test_what_comes_early_is_kept_for_the_wait() -> None:
    story, ref_class = durable(chain(Approve(), Wait()))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        await ref.complete("Wait", 1)
        assert (await ref.status()).at == "Approve"
        await ref.complete("Approve", False)


async def test_a_wait_that_is_too_long_fails_the_flow() -> None:
    story, ref_class = durable(approval(timeout=1))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        await kit.settled()
        standing = await ref.status()
        assert standing.status is Status.FAILED
        assert standing.error == "Approve: TimeoutError: nobody has completed Approve within 1 seconds"
        assert (await shared_of(kit))["taken back"] == ["booking of draft"]


async def test_somebody_else_may_decide_after_a_wait() -> None:
    class Impatient(Approve):
        def exec_fallback(self, prep_res: str, exc: Exception) -> bool:
            return False

    story, ref_class = durable(chain(Impatient(timeout=1)))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        await kit.settled()
        assert (await ref.status()).action == "no"


async def test_whoever_approves_a_visit_that_is_over_is_told_and_nothing_changes() -> None:
    class Impatient(Approve):
        def exec_fallback(self, prep_res: str, exc: Exception) -> bool:
            return False

    approve = Impatient(timeout=1)
    approve - "no" >> Wait()
    story, ref_class = durable(Flow(approve))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        promise = (await ref.status()).promise
        await kit.settled()
        for _ in range(2):
            with pytest.raises(BusinessError) as refused:
                await ref.complete(promise, True)
            assert refused.value.code == "promise_over"
        assert (await shared_of(kit))["answer"] == ["please", False]
        assert (await ref.status()).at == "Wait"


async def test_a_wait_that_was_over_in_time_does_not_expire() -> None:
    approve = Approve(timeout=1)
    approve - "yes" >> Wait()
    story, ref_class = durable(Flow(approve))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        await ref.complete("Approve", True)
        await kit.settled()
        assert (await ref.status()).at == "Wait"


class Stuck(Node):
    """Runs until it is stopped."""

    running = asyncio.Event()
    stopped = 0

    async def exec(self, prep_res: object) -> None:
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            Stuck.stopped += 1


class StuckItems(ParallelBatchNode):
    def prep(self, shared: Shared) -> list[int]:
        return [1, 2, 3]

    exec = Stuck.exec
    running, stopped = Stuck.running, 0


@pytest.fixture(autouse=True)
def _nobody_stuck() -> None:
    Stuck.running = StuckItems.running = asyncio.Event()
    Stuck.stopped = 0


async def test_cancelling_stops_the_node_that_runs_and_takes_back_what_was_completed() -> None:
    story, ref_class = durable(chain(Booked("hotel"), Stuck(), Note("never")))
    async with actor_test(story) as kit:
        ref = kit.ref(ref_class, "s1")
        await ref.start({})
        await Stuck.running.wait()
        assert (await ref.status()).at == "Stuck", "it answers while the node runs"
        await ref.cancel("no longer wanted")
        await kit.settled()
        assert await ref.status() == Standing(Status.CANCELLED, "Stuck", 4, error="no longer wanted")
        assert await shared_of(kit) == {"ran": ["hotel"], "taken back": ["booking of hotel"]}
    assert Stuck.stopped == 1


async def test_cancelling_stops_the_items_that_run_before_it_takes_back() -> None:
    story, ref_class = durable(chain(Booked("hotel"), StuckItems()))
    async with actor_test(story) as kit:
        ref = kit.ref(ref_class, "s1")
        await ref.start({})
        await StuckItems.running.wait()
        await ref.cancel()
        await kit.settled()
        assert (await ref.status()).status is Status.CANCELLED
        assert await shared_of(kit) == {"ran": ["hotel"], "taken back": ["booking of hotel"]}


async def test_an_item_whose_message_is_dead_keeps_nobody_from_cancelling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = Lane._report

    async def lost(lane: Lane, given: Report) -> None:
        if given.ended is not Ended.STOPPED:
            raise OSError("no report")
        await report(lane, given)

    monkeypatch.setattr(Lane, "_report", lost)
    story, ref_class = durable(chain(Booked("hotel"), Squares()))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"numbers": [1]})
        (letter,) = await kit.dead_letters(story)
        assert "no report" in letter.error
        assert (await ref.status()).status is Status.RUNNING
        await ref.cancel()
        await kit.settled()
        assert (await ref.status()).status is Status.CANCELLED
        assert (await shared_of(kit))["taken back"] == ["booking of hotel"]


async def test_results_that_are_too_large_in_all_fail_the_flow() -> None:
    class Large(Squares):
        def exec(self, prep_res: int) -> Value:
            return "x" * 700_000

    story, ref_class = durable(chain(Booked("hotel"), Large()))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"numbers": [1, 2]})
        standing = await ref.status()
        assert standing.status is Status.FAILED
        assert standing.error.startswith("Large: PayloadTooLargeError: ")
        assert await kit.dead_letters(story) == []


async def test_cancelling_ends_a_wait_and_the_waits_of_items() -> None:
    story, ref_class = durable(chain(Squares(max_retries=2, wait=3600)))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class, {"numbers": [1, -2, -3]})
        await ref.cancel()
        await kit.settled(delayed=False)
        assert (await ref.status()).status is Status.CANCELLED
        assert await ref.cancel() is None, "twice is no error"
    story, ref_class = durable(approval())
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        await ref.cancel()
        await kit.settled()
        assert (await ref.status()).status is Status.CANCELLED


async def test_a_flow_that_takes_too_long_fails() -> None:
    story, ref_class = durable(chain(Booked("hotel"), Stuck()), timeout=1)
    async with actor_test(story) as kit:
        ref = kit.ref(ref_class, "s1")
        await ref.start({})
        await kit.settled()
        standing = await ref.status()
        assert standing.status is Status.FAILED
        assert standing.error == "it has not ended within 1 seconds"


async def test_a_flow_is_started_once_and_has_an_id_with_room_for_its_lanes() -> None:
    story, ref_class = durable(chain(Note("a")))
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        with pytest.raises(BusinessError, match="was started before"):
            await ref.start({})
        for bad in ("a~1", "x" * 166):
            with pytest.raises(BusinessError, match="at most 165 bytes"):
                await kit.ref(ref_class, bad).start({})


async def test_whoever_follows_a_run_is_told_of_each_visit_until_it_rests() -> None:
    story, ref_class = durable(approval())
    async with actor_test(story) as kit:
        ref = kit.ref(ref_class, "s1")
        assert [visit async for visit in ref.progress()] == [], "it was not started"
        await ref.start({})
        assert [visit async for visit in ref.progress()] == [Progress(1, "draft")]
        await ref.complete("Approve", True)
        assert [visit async for visit in ref.progress(1)] == [
            Progress(2, "Approve", "yes"),
            Progress(3, "published"),
        ]
        assert (await ref.status()).status is Status.DONE


async def test_whoever_follows_a_run_hears_while_a_node_runs_and_when_it_is_cancelled() -> None:
    story, ref_class = durable(chain(Note("a"), Stuck()))
    async with actor_test(story) as kit:
        ref = kit.ref(ref_class, "s1")
        await ref.start({})
        following = asyncio.create_task(_followed(ref))
        await Stuck.running.wait()
        await ref.cancel()
        assert await following == [Progress(1, "a")]
        assert (await ref.status()).status is Status.CANCELLED


async def _followed(ref: Value) -> list[Progress]:
    return [visit async for visit in ref.progress()]


async def test_a_running_flow_can_be_drawn() -> None:
    story, ref_class = durable(approval())
    async with actor_test(story) as kit:
        ref = await run(kit, ref_class)
        assert await ref.mermaid() == approval().mermaid(current="Approve")


def test_a_durable_flow_needs_a_flow() -> None:
    with pytest.raises(ConfigurationError, match="Nothing needs a flow"):
        type("Nothing", (DurableFlow,), {})
    with pytest.raises(ConfigurationError, match="Note is no flow"):
        type("NoFlow", (DurableFlow,), {"flow": Note("a")})


def test_outside_of_a_durable_flow_nobody_can_be_waited_for() -> None:
    with pytest.raises(ConfigurationError, match="only a durable flow can"):
        Flow(Wait()).run({})


@pytest.mark.parametrize(
    "text", ["", "Approve", "Story/s1", "#Approve", "Story#Approve", "Story/s1#Approve@x"]
)
def test_what_is_no_promise_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no promise"):
        read_promise(text)


def test_a_promise_can_be_passed_on_as_text() -> None:
    promise = read_promise("Story/a/b#c#Inner/Approve@7")
    assert (promise.flow.type, promise.flow.id, promise.node, promise.visit) == (
        "Story",
        "a/b#c",
        "Inner/Approve",
        7,
    )
    assert read_promise(str(promise)) == promise
