"""Reminders of every second while nodes of the broker and workers are killed: none missed, none doubled."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from itertools import pairwise

import pytest

from broker_actors import ActorSystem, Settings
from broker_actors.core import topology
from tests.acceptance.chime import ChimeRef
from tests.acceptance.conftest import Deployment
from tests.servers import RabbitServer, ServerError, command
from tests.soak.cluster import cluster, leader_of_queue

#: A guard against hanging: three nodes start, and start again, on a machine with other things to do.
HANG_SECONDS = 400.0
LOOK_SECONDS = 0.3
#: Attempts to start a node again: it waits for the others.
STARTS_MAX = 3
POLICIES = ("all", "once", "skip")
CHIMES = 30
PERIOD_MS = 1_000
#: What is later than this was missed, by the policy that skips.
LATE_MS_MAX = 60_000

#: When each tick was due, and when it ran.
Struck = Sequence[tuple[int, int]]


@asynccontextmanager
async def worker(node: RabbitServer, redis_url: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a worker process at *node*; it is killed in the end."""
    environment = {**os.environ, "BROKER_ACTORS_URL": node.url, "BROKER_ACTORS_REDIS_URL": redis_url}
    environment["BROKER_ACTORS_CONNECT_TIMEOUT_SECONDS"] = "60"
    program = (sys.executable, "-m", "broker_actors.cli", "worker", "tests.acceptance.chime")
    process = await asyncio.create_subprocess_exec(*program, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def bring_back(node: RabbitServer) -> None:
    for left in reversed(range(STARTS_MAX)):
        try:
            await asyncio.to_thread(node.restart)
        except ServerError:
            if not left:
                raise
        else:
            return


async def leader_of_due(nodes: Sequence[RabbitServer]) -> RabbitServer:
    """Return the node that leads the mailbox of what is due, once the broker's statistics know it."""
    while (found := await asyncio.to_thread(leader_of_queue, nodes, nodes[0].url, topology.DUE)) is None:  # noqa: ASYNC110 - another process
        await asyncio.sleep(LOOK_SECONDS)
    return found


async def all_strike_again(chimes: Sequence[ChimeRef]) -> None:
    """Return when each has run a tick that was not due yet when this was called."""
    now_ms = int(time.time() * 1000)
    while min(await asyncio.gather(*(chime.latest() for chime in chimes))) <= now_ms:  # noqa: ASYNC110 - other processes
        await asyncio.sleep(LOOK_SECONDS)


def check_all(struck: Struck) -> None:
    due = [due_ms for due_ms, _ in struck]
    assert due == list(range(due[0], due[-1] + 1, PERIOD_MS)), "a tick is missing, or came twice"


def check_latest(struck: Struck) -> None:
    """Fail unless what is left out was over when the one before it ran, so that this one stood for it."""
    for (due_ms, ran_ms), (next_ms, _) in pairwise(struck):
        assert next_ms > due_ms, "a tick came twice"
        assert (next_ms - due_ms) % PERIOD_MS == 0
        assert next_ms - PERIOD_MS <= max(due_ms, ran_ms), "a tick is missing"


def check_skipped(struck: Struck) -> None:
    check_latest(struck)
    assert max(ran_ms - due_ms for due_ms, ran_ms in struck) <= LATE_MS_MAX + PERIOD_MS, (
        "it was to be skipped"
    )


CHECKS = {"all": check_all, "once": check_latest, "skip": check_skipped}


async def break_everything(
    nodes: Sequence[RabbitServer], redis_url: str, system: ActorSystem
) -> list[Struck]:
    """Kill the leader, a worker and the whole broker, each with everything at work; return what ran."""
    chimes = [system.ref(ChimeRef, f"c{n}") for n in range(CHIMES)]
    async with worker(nodes[1], redis_url) as doomed, worker(nodes[2], redis_url):
        await asyncio.gather(*(chime.begin(POLICIES[n % 3]) for n, chime in enumerate(chimes)))
        await all_strike_again(chimes)

        leader = await leader_of_due(nodes)
        await asyncio.to_thread(leader.kill)
        await bring_back(leader)
        await all_strike_again(chimes)

        doomed.kill()
        await all_strike_again(chimes)

        await asyncio.gather(*(asyncio.to_thread(node.kill) for node in nodes))
        await asyncio.gather(*(bring_back(node) for node in nodes))
        await all_strike_again(chimes)
        return await asyncio.gather(*(chime.end() for chime in chimes))


@pytest.mark.verify
@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_killed_nodes_and_workers_miss_no_tick_and_double_none(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(command.RABBITMQ, raising=False)  # of others, only single nodes can be started
    with ExitStack() as servers:
        nodes = await asyncio.to_thread(servers.enter_context, cluster(3))
        settings = Settings(
            url=nodes[0].url,
            redis_url=redis_url,
            ask_timeout_seconds=HANG_SECONDS,
            connect_timeout_seconds=HANG_SECONDS,
            publish_timeout_seconds=HANG_SECONDS,
        )
        async with AsyncExitStack() as stack, asyncio.timeout(HANG_SECONDS):
            system = await Deployment(settings, None, stack).system()
            ran = await break_everything(nodes, redis_url, system)
    for number, struck in enumerate(ran):
        CHECKS[POLICIES[number % 3]](struck)
