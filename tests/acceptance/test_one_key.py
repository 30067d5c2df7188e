"""One key is one call, however many ask and whatever becomes of them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from typing import Final

import pytest

from broker_actors import IdempotencyConflictError, Ref, actor, method
from broker_actors.core.topology import Layout
from tests.acceptance.conftest import Deployment
from tests.acceptance.watching import HANG_SECONDS

ASKS: Final = 100
SYSTEMS: Final = 4
LOOK_SECONDS: Final = 0.01


@actor(partitions=2)
class Till:
    """Counts how often it was asked to."""

    runs: int = 0

    @method
    async def add(self, amount: int) -> str:
        self.runs += 1
        return f"{amount} in run {self.runs}"

    @method
    def read(self) -> int:
        return self.runs


class TillRef(Till, Ref):
    """Typed handle."""


async def test_a_hundred_asks_with_one_key_run_once_and_get_equal_replies(deployment: Deployment) -> None:
    systems = [await deployment.system() for _ in range(SYSTEMS)]
    tills = [system.ref(TillRef, "t1").with_options(idempotency_key="order-42") for system in systems]
    async with deployment.worker(Till):
        asks = [asyncio.ensure_future(tills[n % SYSTEMS].add(5)) for n in range(ASKS)]
        await asks[0]
        # Some of them are under way while the mailbox changes hands, or does not.
        async with deployment.worker(Till):
            assert await asyncio.gather(*asks) == ["5 in run 1"] * ASKS
            with pytest.raises(IdempotencyConflictError, match="order-42"):
                await tills[0].add(6)
            assert await systems[0].ref(TillRef, "t1").read() == 1
    async with deployment.worker(Till):
        assert await tills[1].add(5) == "5 in run 1"
        assert await systems[0].ref(TillRef, "t1").read() == 1


async def caller(deployment: Deployment) -> Process:
    """Ask, from a process of its own, what the next one asks, too."""
    environment = {
        **os.environ,
        "BROKER_ACTORS_URL": deployment.settings.url,
        "BROKER_ACTORS_REDIS_URL": deployment.settings.redis_url,
    }
    command = ["ask", "Till", "t1", "add", "5", "--key", "order-42", "--json", "--timeout", "60"]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker_actors.cli", *command), env=environment, stdout=PIPE
    )


@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_a_new_process_gets_by_its_key_what_a_crashed_caller_asked(real: Deployment) -> None:
    system = await real.system()
    mailbox = Layout("Till", partitions=2).mailbox_of("t1")
    async with real.worker(Till):
        pass
    async with asyncio.timeout(HANG_SECONDS):
        crashed = await caller(real)
        while not (await system.backend.transport.depth(mailbox)).ready:  # noqa: ASYNC110 - a queue tells nobody
            await asyncio.sleep(LOOK_SECONDS)
        crashed.kill()
        await crashed.wait()
        async with real.worker(Till):
            assert await system.ref(TillRef, "t1").read() == 1
            said, _ = await (await caller(real)).communicate()
            assert await system.ref(TillRef, "t1").read() == 1
    assert "5 in run 1" in json.loads(said).values()
