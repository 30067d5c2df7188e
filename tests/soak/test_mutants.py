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

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.core import topology
from broker_actors.core.errors import UnroutableError
from broker_actors.core.topology import Layout
from tests.checker.history import Call, History, Outcome, Violation
from tests.checker.verdict import violations
from tests.servers import RabbitServer, RedisServer, command
from tests.soak import looking, reading
from tests.soak.actors import PARTITIONS, Account, AccountRef
from tests.soak.faults import Kind
from tests.soak.mutants import DEFAULT_LIMIT, MUTANTS
from tests.soak.plan import Plan
from tests.soak.run import soak
from tests.soak.sites import Site

pytestmark = [pytest.mark.verify, pytest.mark.timeout(400)]
#: What of the store's log a power cut takes, where it is not synced at once.
TAIL_BYTES: Final = 20_000
#: Of a turn that a worker which is told to stop does not wait for.
CUT_OFF_SECONDS: Final = 2.0
LAYOUT: Final = Layout("Account", partitions=PARTITIONS)


async def _found(site: Site, folder: Path, *kinds: Kind) -> Counter[str]:
    """Return what is found wrong, by kind, in a short soak in which only *kinds* happen."""
    plan = Plan(seed=4, load_seconds=20.0, gap_seconds=2.5, lines=4, kinds=frozenset(kinds))
    with MUTANTS[site.mutant]() if site.mutant else nullcontext():
        report = await soak(plan, site, folder, print)
    return Counter(found.kind for found in report.violations)


async def _site(broker: RabbitServer, store: RedisServer, mutant: str = "") -> Site:
    return Site((broker,), store, await asyncio.to_thread(broker.vhosts.create), mutant)


@pytest.mark.parametrize("mutant", ["", "hand-over by basic.cancel"])
async def test_a_hand_over_that_lets_later_messages_pass_is_caught(
    mutant: str, rabbit_server: RabbitServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    site = await _site(rabbit_server, redis_server, mutant)
    found = await _found(site, tmp_path, Kind.STOP_WORKER, Kind.KILL_WORKER)
    assert set(found) == ({"reordered"} if mutant else set())


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
    kind: type[RedisServer], rabbit_server: RabbitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(
        command.REDIS, raising=False
    )  # only of the installed one is it known where its log lies
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


@pytest.mark.parametrize("mutant", ["", "default delivery limit"])
async def test_a_limit_that_orderly_hand_overs_reach_is_caught(
    mutant: str, amqp_url: str, redis_url: str
) -> None:
    with MUTANTS[mutant]() if mutant else nullcontext():
        found = await _handed_over_often(amqp_url, redis_url)
    assert {one.kind for one in found} == ({"lost", "buried"} if mutant else set())


async def _handed_over_often(amqp_url: str, redis_url: str) -> list[Violation]:
    """Tell an actor whose first turn is cut off by one worker's orderly stop after another."""
    actor, mailbox = "a1", LAYOUT.mailbox_of("a1")
    calls = [Call(f"t{n}", "sender", n, actor, outcome=Outcome.CONFIRMED, in_order=True) for n in range(10)]
    settings = Settings(url=amqp_url, redis_url=redis_url, drain_timeout_seconds=0)
    async with ActorSystem(settings) as system:
        account = system.ref(AccountRef, actor)
        for call in calls:
            await account.put.tell(call.name, 1, [] if call.number else [f"wait:{CUT_OFF_SECONDS}"])
        for _ in range(DEFAULT_LIMIT + 2):
            async with Worker(system, Account):
                while (await system.backend.transport.depth(mailbox)).ready:  # noqa: ASYNC110 - a queue sends no event
                    await asyncio.sleep(0.01)
        async with Worker(system, Account):
            await account.with_options(timeout=20).look()
            said = await looking.say(system, [actor])
            letters = await looking.letters(system)
    return list(violations(History(calls, reading.held_of(said), letters=letters)))


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
