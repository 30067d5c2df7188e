"""Faults that only real servers can show are caught by what they really did.

Each story runs twice: as it is, without a violation, and with the fault. What the brokers and
stores of a test can do to it is kept to what the fault is about.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import aiormq
import pytest

from broker_actors import ActorSystem, Worker
from broker_actors.core import topology
from broker_actors.core.errors import UnroutableError
from broker_actors.core.topology import Layout
from tests.checker.history import Call, History, Outcome, Violation
from tests.checker.verdict import violations
from tests.servers import RabbitServer, RedisServer
from tests.soak import looking, reading
from tests.soak.actors import PARTITIONS, Account, AccountRef
from tests.soak.faults import Kind
from tests.soak.mutants import MUTANTS
from tests.soak.plan import Plan
from tests.soak.run import soak
from tests.soak.sites import Site

pytestmark = [pytest.mark.verify, pytest.mark.timeout(400)]
#: What of the store's log a power cut takes, where it is not synced at once.
TAIL_BYTES: Final = 20_000
#: Fewer than senders have waiting in a mailbox.
SMALL_WINDOW: Final = 4
LAYOUT: Final = Layout("Account", partitions=PARTITIONS)


async def _found(site: Site, folder: Path, *kinds: Kind) -> Counter[str]:
    """Return what is found wrong, by kind, in a short soak in which only *kinds* happen."""
    plan = Plan(seed=4, load_seconds=20.0, gap_seconds=2.5, lines=4, kinds=frozenset(kinds))
    with MUTANTS[site.mutant]() if site.mutant else nullcontext():
        report = await soak(plan, site, folder, print)
    return Counter(found.kind for found in report.violations)


async def _site(broker: RabbitServer, store: RedisServer, mutant: str = "", prefetch: int = 1_000) -> Site:
    url = await asyncio.to_thread(broker.vhosts.create)
    return Site((broker,), store, url, mutant, prefetch)


# With a window that holds a whole backlog everything returns together, in whatever order that is kept.
@pytest.mark.parametrize(
    ("mutant", "prefetch"),
    [
        ("hand-over by basic.cancel", 1_000),
        ("default delivery limit", SMALL_WINDOW),
        ("", 1_000),
        ("", SMALL_WINDOW),
    ],
)
async def test_what_returns_out_of_order_is_caught(
    mutant: str, prefetch: int, rabbit_server: RabbitServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    site = await _site(rabbit_server, redis_server, mutant, prefetch)
    found = await _found(site, tmp_path, Kind.STOP_WORKER, Kind.KILL_WORKER)
    assert bool(found["reordered"]) == bool(mutant), found
    if not mutant:
        assert not found


class ForgetfulRedis(RedisServer):
    """A store that syncs its log once a second, on a machine that loses power."""

    def _command(self) -> list[str]:
        return ["everysec" if word == "always" else word for word in super()._command()]

    def kill(self) -> None:
        """End it, and lose the end of its log."""
        super().kill()
        for log in self.folder.rglob("*.incr.aof"):
            with log.open("r+b") as file:
                file.truncate(max(0, log.stat().st_size - TAIL_BYTES))


@pytest.mark.parametrize("kind", [RedisServer, ForgetfulRedis])
async def test_a_store_that_lost_its_last_second_is_caught(
    kind: type[RedisServer], rabbit_server: RabbitServer, tmp_path: Path
) -> None:
    store = kind(in_memory=True)
    await asyncio.to_thread(store.start)
    try:
        found = await _found(await _site(rabbit_server, store), tmp_path, Kind.KILL_STORE)
    finally:
        await asyncio.to_thread(store.close)
    if kind is ForgetfulRedis:
        assert found["lost"]
    else:
        assert not found


@pytest.mark.parametrize("mutant", ["", "reused message id"])
async def test_a_confirm_of_what_was_returned_is_caught(mutant: str, amqp_url: str, redis_url: str) -> None:
    with MUTANTS[mutant]() if mutant else nullcontext():
        found = await _told_to_nowhere(amqp_url, redis_url)
    assert {one.kind for one in found} == ({"lost"} if mutant else set())


async def _told_to_nowhere(amqp_url: str, redis_url: str) -> list[Violation]:
    """Tell an actor whose mailbox is bound and unbound meanwhile; return what is found wrong."""
    calls: list[Call] = []
    actor = "a1"
    key = LAYOUT.key_of(actor)
    async with ActorSystem.connect(amqp_url, redis_url) as system, Worker(system, Account):
        account = system.ref(AccountRef, actor)
        await account.look()
        channel = await (await aiormq.connect(amqp_url)).channel()

        async def tell() -> None:
            call = Call(f"t{len(calls)}", "sender", len(calls), actor, began=1, ended=2)
            calls.append(call)
            try:
                await account.put.tell(call.name, 1, [])
                call.outcome = Outcome.CONFIRMED
            except UnroutableError:
                call.outcome = Outcome.UNKNOWN

        await asyncio.gather(*(tell() for _ in range(50)))
        await channel.queue_unbind(LAYOUT.mailbox_of(actor), topology.ACTORS, key)
        await asyncio.gather(*(tell() for _ in range(50)))
        await channel.queue_bind(LAYOUT.mailbox_of(actor), topology.ACTORS, key)
        await asyncio.gather(*(tell() for _ in range(50)))
        await channel.connection.close()
        said = await looking.say(system, [actor])
    assert sum(call.outcome is Outcome.CONFIRMED for call in calls) >= 100
    return list(violations(History(calls, reading.held_of(said))))
