"""Two calls with one key that run at once: one of them wins, and the other is a conflict."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors import Ref, actor, method
from broker_actors.core.errors import IdempotencyConflictError
from tests.acceptance.conftest import Deployment


class Gate:
    """Holds up what runs beside the lane."""

    started = asyncio.Event()
    open = asyncio.Event()

    @classmethod
    async def passed(cls) -> None:
        cls.started.set()
        await cls.open.wait()


@actor(partitions=1)
class Desk:
    """Has one method beside the lane, and one in it."""

    total: int = 0

    @method.options(interleave=True)
    async def look(self) -> int:
        await Gate.passed()
        return self.total

    @method
    def add(self, amount: int) -> int:
        self.total += amount
        return amount


class DeskRef(Desk, Ref): ...


@pytest.fixture(autouse=True)
def closed_gate() -> None:
    Gate.started, Gate.open = asyncio.Event(), asyncio.Event()


async def test_a_key_is_used_once_also_by_calls_that_overlap(deployment: Deployment) -> None:
    system = await deployment.system()
    desk = system.ref(DeskRef, "d1").with_options(idempotency_key="order-42")
    async with deployment.worker(Desk):
        beside = asyncio.create_task(desk.look())
        await Gate.started.wait()
        assert await desk.add(5) == 5
        Gate.open.set()
        with pytest.raises(IdempotencyConflictError, match="order-42"):
            await beside
        assert await desk.add(5) == 5
        assert await system.ref(DeskRef, "d1").look() == 5
