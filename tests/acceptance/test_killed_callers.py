"""Callers that die, and a broker that dies under those who wait for room. Real processes and servers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import pytest

from broker_actors import MailboxFullError, Settings
from broker_actors.core.events import TurnEnded
from tests.acceptance.bounds import BOUND, filled
from tests.acceptance.conftest import Deployment
from tests.acceptance.gate import Gate
from tests.acceptance.pressed import Scroll, ScrollRef
from tests.acceptance.processes import process
from tests.acceptance.test_giving_up import ClerkRef, clerk
from tests.servers import RabbitServer

#: A guard against hanging: a broker takes its time to come back on a busy machine.
HANG_SECONDS: Final = 150.0
WAITING: Final = 10


async def test_what_a_killed_caller_had_begun_is_done_once(real: Deployment) -> None:
    gate = Gate()
    system = await real.system()
    async with asyncio.timeout(HANG_SECONDS), real.worker(clerk(gate)):
        async with process(real, "ask", "ClerkRef", "c1", "work", "a") as caller:
            await gate.holds(1)
            caller.kill()
            await caller.wait()
        gate.open.set()
        [ended] = await real.watcher.wait_for(TurnEnded, lambda event: event.method == "work")
        assert (ended.outcome, ended.attempt) == ("ok", 1)
        assert await system.ref(ClerkRef, "c1").note("b") == ["a", "b"]


@pytest.mark.verify
@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_calls_that_wait_for_room_outlive_a_broker_that_is_killed_and_comes_back(
    rabbit_server: RabbitServer, redis_url: str
) -> None:
    async with AsyncExitStack() as stack:
        url = await asyncio.to_thread(rabbit_server.vhosts.create)
        rabbit_server.vhosts.set_policy(url, "mailboxes", r"^actors\.[A-Za-z_]+\.g[0-9]+\.", max_length=BOUND)
        settings = Settings(url=url, redis_url=redis_url, publish_timeout_seconds=HANG_SECONDS)
        bounded = Deployment(settings, None, stack)
        async with bounded.worker(Scroll):
            pass
        system = await bounded.system()
        scroll = system.ref(ScrollRef, "a")
        last = await filled(scroll)
        patient = scroll.with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
        async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
            numbers = range(last + 1, last + 1 + WAITING)
            waiting = [tasks.create_task(patient.note.tell(number)) for number in numbers]
            await asyncio.sleep(0)
            with pytest.raises(MailboxFullError):
                await scroll.note.tell(0)
            rabbit_server.kill()
            await asyncio.to_thread(rabbit_server.restart)
            assert not any(task.done() for task in waiting)
            async with bounded.worker(Scroll):
                await asyncio.gather(*waiting)
                assert await patient.read() == list(range(1, last + 1 + WAITING))
