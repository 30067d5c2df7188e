"""`actors` on real servers: what the store holds, where it is, and what is still to be sent."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem, Ref, Worker, actor, method
from broker_actors.cli.app import app
from broker_actors.core import codec
from broker_actors.core.address import Address, bucket_number, partition_of
from broker_actors.core.outgoing import Destination, Outgoing, pack
from broker_actors.core.topology import Layout
from broker_actors.core.wire import WireMessage
from broker_actors.ports.commit import Commit
from tests.workers.shell import HANG_SECONDS

Run: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]

PARTITIONS = 4
MANY = 10_000
MANY_SECONDS = 2.0


@actor(partitions=PARTITIONS)
class Notebook:
    line: str = ""
    pages: int = 0

    @method
    def write(self, line: str) -> None:
        self.line, self.pages = line, self.pages + 1


class NotebookRef(Notebook, Ref): ...


@pytest.fixture
async def system(amqp_url: str, redis_url: str) -> AsyncIterator[ActorSystem]:
    """Knows the type Notebook, whose worker has yet to start."""
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        await system.dispatch.layout("Notebook", Layout("Notebook", partitions=PARTITIONS))
        yield system


@pytest.fixture
def run(amqp_url: str, redis_url: str) -> Run:
    async def run(*words: str) -> tuple[int, str, str]:
        line = ["actors", *words, "--amqp", amqp_url, "--redis", redis_url]
        # In a thread, as a command runs a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, line)
        return result.exit_code, result.stdout, result.stderr

    return run


async def document(run: Run, *words: str) -> dict[str, Any]:
    code, out, err = await run(*words, "--json")
    assert (code, err) == (0, "")
    shown: dict[str, Any] = json.loads(out)
    return shown


async def store_state(system: ActorSystem, actor_id: str, state: bytes, *outbox: bytes) -> int:
    """Commit as a worker would, and leave the outbox as it is; return the epoch."""
    claim = await system.backend.store.claim(Address("Notebook", actor_id), "mine")
    await system.backend.store.commit(Commit(claim, "turn", state, None, outbox))
    return claim.epoch


def place_of(actor_id: str) -> str:
    return f"actors.Notebook.g1.{partition_of(actor_id, PARTITIONS)}"


async def test_a_list_says_what_each_actor_is_and_where(system: ActorSystem, run: Run) -> None:
    async with Worker(system, Notebook):
        for actor_id in ("a", "b"):
            await system.ref(NotebookRef, actor_id).write("hello")
        await system.ref(NotebookRef, "b").write("again")
        await system.backend.store.claim(Address("Notebook", "new"), "mine")
        shown = await document(run, "list", "Notebook")
        code, out, err = await run("list", "Notebook")
    assert shown["next"] is None
    by_id = {one["id"]: one for one in shown["actors"]}
    assert list(by_id) == sorted(by_id, key=lambda actor_id: (bucket_number(actor_id), actor_id))
    assert [by_id[actor_id]["version"] for actor_id in ("a", "b", "new")] == [1, 2, 0]
    assert [by_id[actor_id]["mailbox"] for actor_id in by_id] == [place_of(one) for one in by_id]
    me = f"{socket.gethostname()}:{os.getpid()}"
    assert {one["worker"] for one in by_id.values()} == {me}
    assert by_id["a"]["state_bytes"] > 0
    assert by_id["new"]["state_bytes"] == 0
    assert {one["undispatched"] for one in by_id.values()} == {0}
    assert all(abs(one["claimed_ms"] / 1000 - time.time()) < HANG_SECONDS for one in by_id.values())
    assert (code, err) == (0, "")
    header, *lines = [line.split() for line in out.splitlines()]
    assert header == ["id", "version", "claimed", "bytes", "undispatched", "parked", "mailbox", "worker"]
    assert [(line[0], line[1], line[6], line[7]) for line in lines] == [
        (one["id"], str(one["version"]), one["mailbox"], me) for one in by_id.values()
    ]


async def test_pages_go_on_where_the_last_one_ended(system: ActorSystem, run: Run) -> None:
    ids = sorted((f"n {n}" for n in range(7)), key=lambda one: (bucket_number(one), one))
    for actor_id in ids:
        await store_state(system, actor_id, b"")
    first = await document(run, "list", "Notebook", "--limit", "4")
    assert [one["id"] for one in first["actors"]] == ids[:4]
    assert first["next"] == ids[3]
    rest = await document(run, "list", "Notebook", "--limit", "4", "--after", first["next"])
    assert [one["id"] for one in rest["actors"]] == ids[4:]
    assert rest["next"] is None
    code, _, err = await run("list", "Notebook", "--limit", "4")
    assert (code, err) == (0, f"the first 4; there may be more: --after '{ids[3]}', or --all\n")
    everything = await document(run, "list", "Notebook", "--all", "--limit", "4")
    assert ([one["id"] for one in everything["actors"]], everything["next"]) == (ids, None)


async def test_nobody_consumes_where_no_worker_runs(system: ActorSystem, run: Run) -> None:
    await store_state(system, "a", b"")
    assert [one["worker"] for one in (await document(run, "list", "Notebook"))["actors"]] == [None]
    code, out, _ = await run("list", "Notebook")
    assert (code, out.splitlines()[1].split()[-1]) == (0, "-")


@pytest.mark.usefixtures("system")
async def test_a_list_of_none_says_so(run: Run) -> None:
    assert await run("list", "Notebook") == (0, "", "no actors of Notebook\n")
    assert await run("list", "Notebook", "--after", "x") == (0, "", "no actors of Notebook behind x\n")
    assert await document(run, "list", "Notebook") == {"actors": [], "next": None}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["list", "Nobody"], "nobody has declared actor type 'Nobody'"),
        (["show", "Notebook", "a"], "no actor Notebook/a: nobody has called it yet"),
        (["list", "no-type"], "actor type 'no-type' is no ASCII identifier"),
        (["show", "Notebook", "a\nb"], "without control characters"),
    ],
)
@pytest.mark.usefixtures("system")
async def test_what_is_not_there_is_one_line_and_2(run: Run, words: list[str], error: str) -> None:
    code, out, err = await run(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert error in err


async def test_one_actor_is_shown_with_its_state_and_its_worker(system: ActorSystem, run: Run) -> None:
    async with Worker(system, Notebook):
        await system.ref(NotebookRef, "a").write("grüße 🦊")
        shown = await document(run, "show", "Notebook", "a")
        code, out, err = await run("show", "Notebook", "a")
    me = f"{socket.gethostname()}:{os.getpid()}"
    assert shown["state"] == {"line": "grüße 🦊", "pages": 1}
    assert (shown["type"], shown["id"], shown["version"], shown["outbox"]) == ("Notebook", "a", 1, [])
    assert (shown["mailbox"], shown["worker"]) == (place_of("a"), me)
    assert (code, err) == (0, "")
    assert f"mailbox     {place_of('a')}\nworker      {me}\n" in out
    assert out.endswith('\n\n{\n  "line": "grüße 🦊",\n  "pages": 1\n}\n')


async def test_what_is_still_to_be_sent_is_shown_by_item(system: ActorSystem, run: Run) -> None:
    message = WireMessage({"ba-type": "Clerk", "ba-id": "c1"}, b"", type="work")
    items = (
        pack(Outgoing(Destination.MAILBOX, message)),
        pack(Outgoing(Destination.DELAY, message, 1_700_000_000_000)),
        b"\xc1",
    )
    await store_state(system, "a", codec.encode({"v": 1, "s": {"at": b"\0"}}), *items)
    shown = await document(run, "show", "Notebook", "a")
    assert shown["state"] == {"at": {"$bytes": "AA=="}}
    assert [(one["version"], one["index"], one["destination"], one["actor"]) for one in shown["outbox"]] == [
        *((1, 0, "mailbox", "Clerk/c1"), (1, 1, "delay", "Clerk/c1")),
        (1, 2, None, None),
    ]
    _, out, _ = await run("show", "Notebook", "a")
    assert [line.split()[:-1] for line in out.splitlines()[-3:]] == [
        ["1:0", "mailbox", "Clerk/c1", "work", "-"],
        ["1:1", "delay", "Clerk/c1", "work", "2023-11-14T22:13:20+00:00"],
        ["1:2", "-", "-", "-", "-"],
    ]


async def test_looking_wakes_nobody_and_changes_nothing(system: ActorSystem, run: Run) -> None:
    epoch = await store_state(system, "a", b"\xc1not a state", b"item")
    await document(run, "list", "Notebook")
    shown = await document(run, "show", "Notebook", "a")
    assert (shown["claimed_ms"], shown["version"]) == (epoch, 1)
    assert shown["state"] == {"$bytes": "wW5vdCBhIHN0YXRl"}


@pytest.mark.verify
@pytest.mark.alone
async def test_ten_thousand_actors_are_listed_in_under_two_seconds(system: ActorSystem, run: Run) -> None:
    state = codec.encode({"v": 1, "s": {"line": "x" * 1000}})
    for start in range(0, MANY, 1000):
        await asyncio.gather(*(store_state(system, f"n{n}", state) for n in range(start, start + 1000)))
    took_seconds: list[float] = []
    # The best of some: what else the machine does is not what is measured.
    for words in (["--all"], ["--limit", str(MANY)], ["--all", "--json"]):
        started = time.monotonic()
        code, out, _ = await run("list", "Notebook", *words)
        took_seconds.append(time.monotonic() - started)
        assert code == 0
        assert out.count("actors.Notebook.g1.") == MANY
    assert min(took_seconds) < MANY_SECONDS, took_seconds
