"""`flows` on real servers: where flows stand, completing what they wait for, cancelling."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar, TypeAlias

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem, Ref, Worker, actor
from broker_actors.cli.app import app
from broker_actors.flow import BaseNode, DurableFlow, Flow, Node, ParallelBatchNode, Wait
from tests.workers.shell import HANG_SECONDS

Run: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]
LOOK_SECONDS = 0.02
Shared = dict[str, Any]


class Book(Node):
    def post(self, shared: Shared, prep_res: object, exec_res: object) -> str:  # noqa: ARG002 - as every node
        shared["booked"] = True
        return "default"

    def compensate(self, shared: Shared, exec_res: object) -> None:  # noqa: ARG002 - as every such node
        shared["booked"] = False


class Items(ParallelBatchNode):
    def prep(self, shared: Shared) -> list[int]:  # noqa: ARG002 - as every node
        return [1, 2]


class Ask(Wait):
    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:  # noqa: ARG002 - as every node
        shared["answer"] = exec_res


def trip() -> Flow:
    book = Book()
    book >> Items() >> Ask()
    return Flow(book)


@actor(partitions=1)
class Trip(DurableFlow):
    flow: ClassVar[BaseNode] = trip()


class TripRef(Trip, Ref): ...


@pytest.fixture
def run(amqp_url: str, redis_url: str) -> Run:
    async def run(*words: str) -> tuple[int, str, str]:
        line = ["flows", *words, "--amqp", amqp_url, "--redis", redis_url]
        # In a thread, as a command runs a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, line)
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
async def waiting(amqp_url: str, redis_url: str) -> AsyncIterator[TripRef]:
    """A flow that waits for an answer."""
    async with ActorSystem.connect(amqp_url, redis_url) as system, Worker(system, Trip):
        ref = system.ref(TripRef, "t1")
        await ref.start({"to": "sea"})
        await _until(ref, "waiting")
        yield ref


async def _until(ref: TripRef, status: str) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while (standing := await ref.status()).status.value != status:
            assert not standing.status.has_ended, standing
            await asyncio.sleep(LOOK_SECONDS)


async def test_a_flow_is_listed_shown_and_completed(run: Run, waiting: TripRef) -> None:
    code, out, _ = await run("list", "Trip")
    header, line = out.splitlines()
    assert (code, header.split()) == (0, ["id", "status", "at", "step", "items", "moved", "error"])
    assert line.split()[:5] == ["t1", "waiting", "Ask", "3", "-"], "lanes of a batch are no flows"

    code, out, _ = await run("show", "Trip", "t1")
    assert code == 0
    assert "promise     Trip/t1#Ask@3\n" in out
    assert ["Items", "-"] in [line.split() for line in out.splitlines()]
    assert '"booked": true' in out

    assert await run("complete", "Trip/t1#Ask@3", '{"yes": "a=b"}') == (0, "", "")
    await _until(waiting, "done")
    code, out, _ = await run("show", "Trip", "t1", "--json")
    shown = json.loads(out)
    assert (shown["status"], shown["promise"]) == ("done", None)
    assert shown["trail"] == [
        {"node": "Book", "action": "default"},
        {"node": "Items", "action": None},
        {"node": "Ask", "action": None},
    ]
    assert shown["shared"] == {"to": "sea", "booked": True, "answer": {"yes": "a=b"}}

    code, _, err = await run("complete", "Trip/t1#Ask", "again")
    assert (code, err) == (1, "error: not_running: the flow is done\n")


async def test_a_flow_is_cancelled_and_found_by_its_status(run: Run, waiting: TripRef) -> None:
    assert await run("cancel", "Trip", "t1", "it rains") == (0, "", "")
    await _until(waiting, "cancelled")
    code, out, _ = await run("list", "Trip", "--status", "cancelled", "--json")
    (found,) = json.loads(out)["flows"]
    assert (code, found["error"], found["at"]) == (0, "it rains", "Ask")
    assert await run("list", "Trip", "--status", "running") == (0, "", "no flows of Trip are running\n")


async def test_a_script_can_wait_until_a_flow_has_come_to_rest(run: Run, waiting: TripRef) -> None:
    assert await run("wait", "Trip", "t1") == (0, "waiting Trip/t1#Ask@3\n", "")
    await waiting.complete("Ask", "sunny")
    assert await run("wait", "Trip", "t1") == (0, "done\n", "")
    code, _, err = await run("wait", "Trip", "t2", "--timeout", "0")
    assert (code, err) == (2, "error: Trip/t2 was not started, after 0.0 seconds\n")


async def test_what_is_no_flow_is_said(run: Run) -> None:
    assert await run("show", "Trip", "t2") == (2, "", "error: no flow Trip/t2: nobody has started it\n")
    code, _, err = await run("complete", "nonsense")
    assert (code, err.startswith("error: 'nonsense' is no promise")) == (2, True)
