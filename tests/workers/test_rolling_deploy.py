"""A rolling deploy as docs/how-to/upgrading.md says it goes: two releases side by side, under load."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from broker_actors import ActorSystem
from tests.acceptance import moving
from tests.workers.daemons import Daemon, daemon
from tests.workers.next_release import NextSequenceRef
from tests.workers.shell import HANG_SECONDS, ROOT

Start: TypeAlias = Callable[[str], AbstractAsyncContextManager[Daemon]]

OLD = "tests.acceptance.moving"
NEW = "tests.workers.next_release"
#: How long a call may take while workers come and go, as promised.
GAP_SECONDS_MAX = 2.0


@pytest.fixture
def start(amqp_url: str, redis_url: str, tmp_path: Path) -> Start:
    """Runs a worker of a release."""
    servers = {"BROKER_ACTORS_URL": amqp_url, "BROKER_ACTORS_REDIS_URL": redis_url}
    return lambda release: daemon("worker", release, cwd=ROOT, runtime=tmp_path, settings=servers)


@pytest.mark.verify
@pytest.mark.alone
@pytest.mark.timeout(180)
async def test_a_rolling_deploy_under_load_loses_doubles_reorders_and_buries_nothing(
    start: Start, system: ActorSystem, record_property: Callable[[str, object], None]
) -> None:
    early = system.ref(NextSequenceRef, "early")
    async with AsyncExitStack() as running:
        old = [await running.enter_async_context(start(OLD)) for _ in range(2)]
        for worker in old:
            await worker.line("ready")
        async with moving.load(system) as seen:
            # A caller of the next release: no worker knows this method yet.
            await early.remember.tell("early")
            for worker in old:
                replacement = await running.enter_async_context(start(NEW))
                await replacement.line("ready")
                worker.process.send_signal(signal.SIGTERM)
                assert await worker.ended() == 0
                assert worker.lines[-1] == "stopped"
        await moving.check(system, seen)
        assert seen.slowest_seconds < GAP_SECONDS_MAX

        # States of the old release got the default of the new attribute.
        for actor_id in seen.sent:
            assert await system.ref(NextSequenceRef, actor_id).remembered() == ["default"]
        async with asyncio.timeout(HANG_SECONDS):
            while await early.remembered() != ["default", "early"]:  # noqa: ASYNC110 - it waits in the broker
                await asyncio.sleep(0.1)
    assert (await system.backend.transport.depth("actors.dead.Sequence")).ready == 0
    calls = sum(seen.sent.values())
    record_property("rolling deploy", f"slowest of {calls} calls {seen.slowest_seconds:.2f} s")
