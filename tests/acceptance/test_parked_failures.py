"""What is parked for a hot actor: cancelled, late, or left by a worker that is gone."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from broker_actors import ActorSystem, AskTimeoutError
from broker_actors.core.address import Address
from broker_actors.core.events import TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.gate import Gate
from tests.acceptance.test_giving_up import ClerkRef, clerk
from tests.acceptance.watching import HANG_SECONDS

pytestmark = pytest.mark.embedded_first

#: A window that a hot actor fills, and what waits for it.
PREFETCH: Final = 10
BACKLOG: Final = 30
#: A deadline that passes while a test waits for it.
SOON: Final = 1.0
TOLD: Final = [str(n) for n in range(BACKLOG)]


async def are_parked(system: ActorSystem, count: int) -> None:
    """Return when so many entries of the hot actor are parked."""
    while True:
        snapshot = await system.backend.store.peek(Address("ClerkRef", "hot"))
        if snapshot is not None and snapshot.parked.entries >= count:
            return


async def tell(hot: ClerkRef) -> None:
    for text in TOLD:
        await hot.note.tell(text)


async def test_what_a_worker_has_parked_the_next_one_runs_in_order(deployment: Deployment) -> None:
    first, second = Gate(), Gate()
    second.open.set()
    system = await deployment.system()
    hot = system.ref(ClerkRef, "hot")
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        async with deployment.worker(clerk(first), prefetch=PREFETCH, drain_timeout_seconds=0.0):
            working = tasks.create_task(hot.work("first"))
            await first.holds(1)
            await tell(hot)
            await are_parked(system, BACKLOG - PREFETCH // 2)
        async with deployment.worker(clerk(second), prefetch=PREFETCH):
            assert await working == ["first"]
            assert await hot.note("last") == ["first", *TOLD, "last"]


@pytest.mark.parametrize("how", ["cancelled", "late"])
async def test_what_is_parked_and_nobody_waits_for_any_more_does_not_run(
    deployment: Deployment, how: str
) -> None:
    gate = Gate()
    system = await deployment.system()
    hot = system.ref(ClerkRef, "hot")
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(clerk(gate), prefetch=PREFETCH):
        working = asyncio.ensure_future(hot.work("first"))
        await gate.holds(1)
        brief = hot.with_options(timeout=SOON if how == "late" else HANG_SECONDS)
        given_up = asyncio.ensure_future(brief.note("for nobody"))
        await tell(hot)
        # It came first, so that it is one of these.
        await are_parked(system, BACKLOG - PREFETCH // 2)
        if how == "cancelled":
            given_up.cancel()
        with pytest.raises(asyncio.CancelledError if how == "cancelled" else AskTimeoutError):
            await given_up
        # Told of after the one before, by the same way.
        other = asyncio.ensure_future(system.ref(ClerkRef, "other").work("x"))
        await gate.holds(2)
        other.cancel()
        await gate.holds(1)
        gate.open.set()
        assert await working == ["first"]
        assert await hot.note("last") == ["first", *TOLD, "last"]
        outcomes = [event.outcome for event in deployment.watcher.of(TurnEnded) if event.outcome != "ok"]
    assert outcomes == (["cancelled"] * 2 if how == "cancelled" else ["cancelled", "expired"])
