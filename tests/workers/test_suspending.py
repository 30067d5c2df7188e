"""`actors suspend`, `resume` and `suspended` on real servers, and what `list` and `show` say meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem, Ref, Worker, actor, method
from broker_actors.cli.app import app
from broker_actors.core.address import Address
from broker_actors.core.errors import ActorSuspendedError

Run: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]

LAMP = Address("Lamp", "l1")


@actor(partitions=1)
class Lamp:
    flashes: int = 0

    @method
    def flash(self) -> int:
        self.flashes += 1
        return self.flashes


class LampRef(Lamp, Ref): ...


@pytest.fixture
async def system(amqp_url: str, redis_url: str) -> AsyncIterator[ActorSystem]:
    async with ActorSystem.connect(amqp_url, redis_url) as system:
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


async def test_an_actor_is_suspended_and_resumed_by_hand(run: Run, system: ActorSystem) -> None:
    lamp = system.ref(LampRef, "l1")
    async with Worker(system, Lamp):
        assert await lamp.flash() == 1
        said = await run("suspend", "Lamp", "l1", "--reason", "a moth")
        assert said == (0, "Lamp/l1 is suspended: a moth\n", "")
        await lamp.flash.tell()
        with pytest.raises(ActorSuspendedError, match="operator: a moth"):
            await lamp.flash()
        code, out, _ = await run("suspended", "Lamp")
        assert (code, "l1" in out, "a moth" in out) == (0, True, True)
        said = await run("resume", "Lamp", "l1")
        assert said == (0, "Lamp/l1 runs again; it was suspended: a moth\n", "")
        assert await lamp.flash() == 3
    assert await run("suspended", "Lamp") == (0, "", "no actor of Lamp is suspended\n")


async def test_who_looks_at_actors_sees_who_is_suspended_and_why(run: Run, system: ActorSystem) -> None:
    async with Worker(system, Lamp):
        await system.ref(LampRef, "l1").flash()
        await system.ref(LampRef, "l2").flash()
    assert "suspended" not in (await run("list", "Lamp"))[1]
    assert (await document(run, "show", "Lamp", "l1"))["suspension"] is None
    await run("suspend", "Lamp", "l1", "--reason", "a moth")
    header, *rows = (await run("list", "Lamp"))[1].splitlines()
    assert header.split()[-1] == "suspended"
    assert {row.split()[0]: row.split()[-1] for row in rows} == {"l1": "operator", "l2": "-"}
    shown = (await document(run, "show", "Lamp", "l1"))["suspension"]
    assert (shown["cause"], shown["error"]) == ("operator", "a moth")
    _, out, _ = await run("show", "Lamp", "l1")
    assert "because     a moth\n" in out
    [listed] = (await document(run, "suspended", "Lamp"))["suspended"]
    assert (listed["id"], listed["cause"]) == ("l1", "operator")


async def test_suspending_twice_keeps_the_first_reason(run: Run, system: ActorSystem) -> None:
    async with Worker(system, Lamp):
        await system.ref(LampRef, "l1").flash()
    await run("suspend", "Lamp", "l1", "--reason", "first")
    assert (await run("suspend", "Lamp", "l1", "--reason", "second"))[1] == "Lamp/l1 is suspended: first\n"


async def test_who_is_not_suspended_cannot_be_resumed(run: Run, system: ActorSystem) -> None:
    del system
    assert await run("resume", "Lamp", "l1") == (2, "", "error: Lamp/l1 is not suspended\n")
