"""Dead letters on real servers: sent again, removed, and left in their order."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem, Ref, Worker, actor, method
from broker_actors.cli.app import app
from broker_actors.cli.letters import browse
from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.core.dead import Reason
from broker_actors.core.envelope import JSON, Envelope, to_wire
from broker_actors.core.errors import ErrorRecord
from broker_actors.core.wire import WireMessage
from tests.workers import shell
from tests.workers.shell import HANG_SECONDS, ROOT

Dead: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]

ORIGIN = "actors.Tally.g1.0"
CALL = b'{"args": [], "kwargs": {}}'


@actor(partitions=2)
class Tally:
    """How often each one was told is what is looked at."""

    value: int = 0

    @method
    def add(self) -> int:
        self.value += 1
        return self.value

    @method
    def look(self) -> int:
        return self.value


class TallyRef(Tally, Ref): ...


@pytest.fixture
def servers(amqp_url: str, redis_url: str) -> list[str]:
    return ["--amqp", amqp_url, "--redis", redis_url]


@pytest.fixture
async def system(amqp_url: str, redis_url: str) -> AsyncIterator[ActorSystem]:
    """Knows the type Tally, whose worker has yet to start."""
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        await system.dispatch.layout("Tally", topology.Layout("Tally", partitions=2))
        yield system


@pytest.fixture
def run(servers: list[str]) -> Dead:
    """Runs a command of `dead` on Tally and returns its exit code, stdout and stderr."""

    async def run(command: str, *words: str, type_: str = "Tally") -> tuple[int, str, str]:
        line = ["dead", command, *([type_] if type_ else []), *words, *servers]
        # In a thread, as a command runs a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, line)
        return result.exit_code, result.stdout, result.stderr

    return run


async def bury(system: ActorSystem, ids: Sequence[str], error: str = "boom", method: str = "add") -> None:
    fault = ErrorRecord("SystemFaultError", "ValueError", error)
    for actor_id in ids:
        envelope = Envelope(Address("Tally", actor_id), method, CALL, JSON, key=f"{actor_id} {method}")
        now_ms = system.backend.clock.now_ms()
        await system.dispatch.send(
            dead.of_envelope(envelope, Reason.FAILED, fault, origin=ORIGIN, now_ms=now_ms)
        )


async def listed(system: ActorSystem, type_: str = "Tally") -> list[str]:
    found = await browse(system.backend.transport, type_, limit=1_000)
    return [str(dead.address_of(letter)).removeprefix("Tally/") for letter in found]


async def effects(system: ActorSystem, ids: Sequence[str]) -> list[int]:
    """Return how often each was told; the ask queues behind."""
    async with asyncio.timeout(HANG_SECONDS), Worker(system, Tally):
        return [await system.ref(TallyRef, actor_id).look() for actor_id in ids]


async def document(run: Dead, command: str, *words: str, type_: str = "Tally") -> Any:  # noqa: ANN401 - JSON
    code, out, err = await run(command, *words, "--json", type_=type_)
    assert (code, err) == (0, "")
    return json.loads(out)


async def test_letters_are_filtered_and_grouped(system: ActorSystem, run: Dead) -> None:
    await bury(system, ["a", "b"])
    await bury(system, ["c"], error="no such thing")
    await bury(system, ["a"], method="look")
    for words, expected in (
        (["--error", "BOOM"], ["Tally/a", "Tally/b", "Tally/a"]),
        (["--actor", "a", "--method", "add"], ["Tally/a"]),
        (["--reason", "failed", "--limit", "1"], ["Tally/a"]),
        (["--reason", "rejected"], []),
        (["--older-than", "1h"], []),
    ):
        _code, out, _err = await run("list", *words, "--json")
        assert [letter["actor"] for letter in json.loads(out)] == expected, words
    groups = await document(run, "list", "--by-error")
    assert [(group["count"], group["reason"], group["error"]) for group in groups] == [
        (3, "failed", "ValueError: boom"),
        (1, "failed", "ValueError: no such thing"),
    ]
    assert groups[0]["oldest_age_seconds"] >= groups[0]["newest_age_seconds"] >= 0
    code, out, _err = await run("show", groups[1]["example_id"])
    assert code == 0
    assert "Tally/c" in out
    code, out, _err = await run("list", "--by-error")
    assert out.splitlines()[0].split() == ["count", "oldest", "newest", "reason", "error", "example"]


async def test_without_a_type_the_letters_of_all_are_listed(system: ActorSystem, run: Dead) -> None:
    assert await run("list", type_="") == (0, "", "no dead letters\n")
    await bury(system, ["a", "b"])
    tell = Envelope(Address("Gone", "g"), "add", CALL, JSON, key="k")
    await system.backend.transport.publish(topology.dead_route("by-broker"), to_wire(tell))
    for words, expected in (
        ([], ["Tally/a", "Tally/b", "Gone/g"]),
        (["--actor", "b"], ["Tally/b"]),
        (["--actor", "nobody"], []),
    ):
        _code, out, _err = await run("list", *words, "--json", type_="")
        assert [letter["actor"] for letter in json.loads(out)] == expected, words
    code, out, err = await run("list", "--limit", "2", type_="")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "the first 2" in err
    assert await listed(system) == ["a", "b"]


async def test_what_is_redriven_may_be_chosen_by_age(system: ActorSystem, run: Dead) -> None:
    await bury(system, ["a"])
    assert await run("redrive", "--older-than", "1h") == (0, "0 redriven, 1 stay\n", "")


async def test_what_is_meant_takes_effect_and_what_stays_keeps_its_order(
    system: ActorSystem, run: Dead
) -> None:
    await bury(system, ["a", "b", "c", "d", "e"])
    assert await run("redrive", "--actor", "b") == (0, "1 redriven, 4 stay\n", "")
    ids = [letter["id"] for letter in await document(run, "list")]
    done = await document(run, "redrive", ids[1], ids[3])
    assert done == {
        "ok": True,
        "dry_run": False,
        "redriven": [ids[1], ids[3]],
        "refused": [],
        "missing": [],
        "others": 2,
        "unseen": 0,
    }
    assert await listed(system) == ["a", "d"]
    assert await effects(system, "abcde") == [0, 1, 1, 0, 1]


async def test_a_redrive_needs_to_be_told_what(system: ActorSystem, run: Dead) -> None:
    await bury(system, ["a"])
    for words, advice in (([], "or --all"), (["--all", "--actor", "a"], "leave it out")):
        for command in ("redrive", "purge"):
            code, out, err = await run(command, *words)
            assert (code, out) == (2, "")
            assert advice in " ".join(err.split())
    code, _out, err = await run("redrive", "none", "--limit", "1")
    assert (code, err) == (2, "there is no dead letter none\n")
    assert await run("redrive", "--all", "--dry-run") == (0, "1 would be redriven, 0 stay\n", "")
    assert await listed(system) == ["a"]


async def test_what_cannot_be_sent_stays_and_is_2(system: ActorSystem, run: Dead) -> None:
    fault = ErrorRecord("UndecodableError", "UndecodableError", "no id")
    unreadable = WireMessage({"ba-type": "Tally"}, b"\xff")
    await system.dispatch.send(
        dead.of_message(unreadable, fault, actor_type="Tally", origin=ORIGIN, now_ms=1)
    )
    await bury(system, ["a"])
    code, out, err = await run("redrive", "--all")
    assert (code, out) == (2, "1 redriven, 1 stay\n")
    assert "cannot be sent" in err
    (left,) = await document(run, "list")
    assert left["reason"] == "undecodable"


async def test_what_the_broker_gave_up_is_redriven_under_its_own_key(system: ActorSystem, run: Dead) -> None:
    tell = Envelope(Address("Tally", "a"), "add", CALL, JSON, key="the user's")
    await system.backend.transport.publish(topology.dead_route("by-broker"), to_wire(tell))
    assert await listed(system, "by-broker") == ["a"]
    assert await run("redrive", "--all", type_="by-broker") == (0, "1 redriven, 0 stay\n", "")
    # It may have run before it was given up, and its record says so.
    await system.backend.transport.publish(topology.dead_route("by-broker"), to_wire(tell))
    assert await run("redrive", "--all", type_="by-broker") == (0, "1 redriven, 0 stay\n", "")
    assert await effects(system, "a") == [1]


async def test_a_purge_removes_what_is_meant_only(system: ActorSystem, run: Dead) -> None:
    await bury(system, ["a", "b"])
    await bury(system, ["c"], error="no such thing")
    await bury(system, ["d"])
    assert await run("purge", "--error", "such", "--yes") == (0, "1 purged\n", "")
    assert await listed(system) == ["a", "b", "d"]
    (first, *_) = await document(run, "list")
    assert await document(run, "purge", first["id"], "--yes") == {"ok": True, "purged": 1, "missing": []}
    assert await run("purge", "--older-than", "7d", "--yes") == (0, "0 purged\n", "")
    assert await listed(system) == ["b", "d"]
    code, out, err = await run("purge", "nobody", "--yes")
    assert (code, out, err) == (2, "0 purged\n", "there is no dead letter nobody\n")


async def test_a_purge_nobody_can_confirm_is_refused(system: ActorSystem, run: Dead) -> None:
    await bury(system, ["a"])
    code, out, err = await run("purge", "--all")
    assert (code, out) == (2, "")
    assert "add --yes" in err
    assert await listed(system) == ["a"]


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, []), (b"n\n", 2, ["a"])])
async def test_a_purge_asks_on_a_terminal(
    system: ActorSystem, servers: list[str], answer: bytes, code: int, left: list[str]
) -> None:
    await bury(system, ["a"])

    person, terminal = os.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "broker_actors.cli", "dead", "purge", "Tally", "--all", *servers),
            cwd=ROOT,
            stdin=terminal,
            stdout=PIPE,
            stderr=PIPE,
        )
        os.write(person, answer)
        async with asyncio.timeout(HANG_SECONDS):
            _out, err = await process.communicate()
    finally:
        os.close(person)
        os.close(terminal)
    assert b"Remove 1 dead letters of Tally for good?" in err
    assert process.returncode == code
    assert await listed(system) == left


async def test_a_redrive_killed_in_the_middle_and_run_again_takes_effect_once(
    system: ActorSystem, servers: list[str], run: Dead
) -> None:
    ids = [f"t{n}" for n in range(40)]
    await bury(system, ids)
    redriving = await shell._start("dead", "redrive", "Tally", "--all", "--rate", "50", *servers, cwd=ROOT)
    mailboxes = topology.Layout("Tally", partitions=2).mailboxes()
    async with asyncio.timeout(HANG_SECONDS):
        # Nobody consumes, so what was sent lies there.
        while sum([(await system.backend.transport.depth(name)).ready for name in mailboxes]) < 10:
            pass
    redriving.kill()
    await redriving.communicate()
    code, _out, _err = await run("redrive", "--all", "--rate", "1000")
    assert code == 0
    assert await listed(system) == []
    assert await effects(system, ids) == [1] * len(ids)
