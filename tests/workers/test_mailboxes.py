"""`mailboxes` on real servers: what waits, since when, and who has it in hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem, Ref, Worker, actor, method
from broker_actors.cli.app import app
from broker_actors.core import dead
from broker_actors.core.address import Address
from broker_actors.core.dead import Reason
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import ErrorRecord
from broker_actors.core.topology import Layout
from broker_actors.worker.status import Status
from tests.conformance.transport.brokers import Inbox
from tests.workers.shell import HANG_SECONDS, shell

Show: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]

#: A mailbox with more than a window of messages in it, of a worker with a small window.
PREFETCH = 5


@actor(partitions=1)
class Clerk:
    @method
    async def work(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@actor(mailbox="dedicated")
class Lamp:
    @method
    def switch(self) -> None: ...


class LampRef(Lamp, Ref): ...


@pytest.fixture
async def system(
    amqp_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ActorSystem]:
    """Knows the type Clerk, whose worker has yet to start."""
    monkeypatch.setenv("BROKER_ACTORS_PREFETCH", str(PREFETCH))
    monkeypatch.setenv("BROKER_ACTORS_DRAIN_TIMEOUT_SECONDS", "0")
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        await system.dispatch.layout("Clerk", Layout("Clerk", partitions=1))
        yield system


@pytest.fixture
def show(amqp_url: str, redis_url: str) -> Show:
    async def run(*words: str) -> tuple[int, str, str]:
        line = ["mailboxes", *words, "--amqp", amqp_url, "--redis", redis_url]
        result = await asyncio.to_thread(CliRunner().invoke, app, line)
        return result.exit_code, result.stdout, result.stderr

    return run


async def rows(show: Show, *types: str) -> dict[str, dict[str, Any]]:
    code, out, err = await show(*types, "--json")
    assert (code, err) == (0, "")
    return {row["mailbox"]: row for row in json.loads(out)}


async def fill(system: ActorSystem, count: int) -> None:
    for _ in range(count):
        await system.ref("Clerk", "c1").work.tell(0)


async def until_nobody_consumes(system: ActorSystem) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while (await system.backend.transport.depth("actors.Clerk.g1.0")).consumers:
            pass


async def test_a_mailbox_nobody_consumes_shows_what_waits_and_since_when(
    system: ActorSystem, show: Show
) -> None:
    await fill(system, 3)
    row = (await rows(show))["actors.Clerk.g1.0"]
    assert row.pop("oldest_age_seconds") >= 0
    assert row == {
        "mailbox": "actors.Clerk.g1.0",
        "type": "Clerk",
        "exists": True,
        "ready": 3,
        "consumers": 0,
        "worker": None,
        "worker_trouble": None,
        "held": None,
        "parked": 0,
    }
    code, out, err = await show()
    header, first, *_ = out.splitlines()
    assert (code, err) == (0, "")
    assert header.split() == ["mailbox", "ready", "consumers", "held", "parked", "oldest", "worker"]
    assert first.split()[:5] == ["actors.Clerk.g1.0", "3", "0", "-", "0"]


async def test_every_queue_there_is_has_a_row(system: ActorSystem, show: Show) -> None:
    await system.spawn(LampRef, "kitchen")
    shared = ["actors.due", "actors.unroutable"]
    everything = ["actors.Clerk.g1.0", "actors.Lamp.g1.id.kitchen", *shared]
    dead_ones = ["actors.dead.Clerk", "actors.dead.Lamp", "actors.dead"]
    assert list(await rows(show)) == [*everything, *dead_ones]
    assert list(await rows(show, "Lamp")) == [*everything[1:], "actors.dead.Lamp", "actors.dead"]
    code, out, err = await show("Ghost")
    assert (code, out) == (2, "")
    assert "nobody has declared" in err


async def test_looking_keeps_the_order_also_of_what_a_worker_gave_back(
    system: ActorSystem, show: Show
) -> None:
    """A look with a window of one would put the first message behind the other four."""
    transport = system.backend.transport
    for n in range(2 * PREFETCH):
        await system.ref("Clerk", f"c{n}").work.tell(0)

    async def ids(count: int) -> list[object]:
        inbox = Inbox()
        consumer = await transport.consume("actors.Clerk.g1.0", inbox, prefetch=PREFETCH)
        await inbox.wait_for(count)
        await consumer.close()
        return [delivery.message.headers["ba-id"] for delivery in inbox.deliveries]

    first = await ids(PREFETCH)
    assert first == [f"c{n}" for n in range(PREFETCH)]
    await until_nobody_consumes(system)
    assert (await rows(show))["actors.Clerk.g1.0"]["ready"] == 2 * PREFETCH
    await until_nobody_consumes(system)
    assert await ids(PREFETCH) == first


async def test_a_mailbox_in_work_shows_its_worker_and_what_it_holds(system: ActorSystem, show: Show) -> None:
    async with Worker(system, Clerk):
        await system.ref("Clerk", "c1").work.tell(1_000)
        await fill(system, 2)
        async with asyncio.timeout(HANG_SECONDS):
            # Workers report twice a second.
            while (row := (await rows(show))["actors.Clerk.g1.0"])["held"] != 3:
                pass
    assert (row["ready"], row["consumers"]) == (0, 1)
    assert row["worker"]
    assert row["oldest_age_seconds"] >= 0


async def test_a_worker_that_is_not_ready_says_why(
    system: ActorSystem, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Worker(system, Clerk) as worker:
        monkeypatch.setattr(worker, "status", lambda: Status(ready=False, reasons=("no probe", "no store")))
        async with asyncio.timeout(HANG_SECONDS):
            while (row := (await rows(show))["actors.Clerk.g1.0"])["worker_trouble"] is None:
                pass
        _code, text, _err = await show("Clerk")
    assert row["worker_trouble"] == "no probe; no store"
    assert f"{row['worker']}, not ready: no probe; no store" in text


async def test_dead_letters_show_since_when_they_are_dead(system: ActorSystem, show: Show) -> None:
    letter = dead.of_envelope(
        Envelope(Address("Clerk", "c1"), "work"),
        Reason.FAILED,
        ErrorRecord("SystemFaultError", "ValueError", "boom"),
        origin="actors.Clerk.g1.0",
        now_ms=system.backend.clock.now_ms() - 300_000,
    )
    await system.dispatch.send(letter)
    row = (await rows(show))["actors.dead.Clerk"]
    assert (row["ready"], row["type"]) == (1, "Clerk")
    assert 300 <= row["oldest_age_seconds"] < 3_600


async def test_a_queue_that_is_gone_is_missing(
    system: ActorSystem, show: Show, amqp_url: str, redis_url: str
) -> None:
    # Recorded, and never declared: as after the loss of a broker.
    await system.backend.store.layout(Layout("Lost", partitions=1))
    row = (await rows(show, "Lost"))["actors.Lost.g1.0"]
    assert (row["exists"], row["ready"], row["oldest_age_seconds"]) == (False, None, None)
    # As a program of its own, where the drivers' loggers would be heard if nobody had quieted them.
    _code, out, err = await shell("mailboxes", "Lost", "--amqp", amqp_url, "--redis", redis_url)
    assert err == ""
    assert out.splitlines()[1].split()[:2] == ["actors.Lost.g1.0", "missing"]


@pytest.mark.verify
async def test_a_thousand_mailboxes_are_shown(system: ActorSystem, show: Show) -> None:
    await system.dispatch.layout("Many", Layout("Many", partitions=1_000))
    found = await rows(show, "Many")
    assert sum(row["type"] == "Many" and row["ready"] == 0 for row in found.values()) == 1_001
