"""A section whose lane is held by whoever waits for it says so; one that is only late goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from broker_actors import Ref, Retry, actor, method, turn
from broker_actors.core.errors import CallCycleError
from tests.acceptance.conftest import Deployment
from tests.acceptance.gate import Gate
from tests.acceptance.watching import HANG_SECONDS

pytestmark = pytest.mark.embedded_first

NEVER: Final = Retry(attempts=1)
#: Longer than a test may take: what ends before has not waited for it.
TIMEOUT_SECONDS: Final = 4 * HANG_SECONDS


class ClerkRef(Ref):
    """Counts, beside its lane and in it."""

    @method
    async def alone(self, via: bool) -> list[int]:
        raise NotImplementedError

    @method
    async def beside(self, via: bool) -> list[int]:
        raise NotImplementedError

    @method
    def counted(self) -> AsyncIterator[int]:
        raise NotImplementedError

    @method
    async def busy(self) -> None:
        raise NotImplementedError


class CourierRef(Ref):
    """Reads what a clerk counts for somebody else."""

    @method
    async def read(self, clerk: str) -> list[int]:
        raise NotImplementedError


@actor(partitions=1, retry=NEVER, name="CourierRef")
class Courier:
    """Reads what a clerk counts."""

    @method
    async def read(self, clerk: str) -> list[int]:
        ref = turn.current().ref(ClerkRef, clerk).with_options(timeout=TIMEOUT_SECONDS)
        return [n async for n in ref.counted()]


def clerk(gate: Gate, wanting: asyncio.Event) -> type:
    @actor(partitions=1, retry=NEVER, name="ClerkRef")
    class Clerk:
        """Writes in sections of a generator."""

        count: int = 0

        @method
        async def alone(self, via: bool) -> list[int]:
            return await self._read(via=via)

        @method.options(interleave=True)
        async def beside(self, via: bool) -> list[int]:
            return await self._read(via=via)

        @method.options(interleave=True)
        async def counted(self) -> AsyncIterator[int]:
            for _ in range(2):
                wanting.set()
                async with turn():
                    self.count += 1
                yield self.count

        @method
        async def busy(self) -> None:
            async with gate.passing():
                pass

        async def _read(self, *, via: bool) -> list[int]:
            me = turn.current().address.id
            if via:
                courier = turn.current().ref(CourierRef, "c1").with_options(timeout=TIMEOUT_SECONDS)
                return await courier.read(me)
            stream = turn.current().ref(ClerkRef, me).with_options(timeout=TIMEOUT_SECONDS).counted()
            return [n async for n in stream]

    return Clerk


@pytest.mark.parametrize("via", [False, True], ids=["itself", "through another"])
async def test_a_section_that_its_own_caller_keeps_from_beginning_fails_at_once(
    deployment: Deployment,
    via: bool,
) -> None:
    system = await deployment.system()
    async with deployment.worker(clerk(Gate(), asyncio.Event()), Courier), asyncio.timeout(HANG_SECONDS):
        ref = system.ref(ClerkRef, "k1").with_options(timeout=TIMEOUT_SECONDS)
        text = r"ClerkRef/k1\.counted wants a section, .* ClerkRef/k1\.alone has ended.*let alone interleave"
        with pytest.raises(CallCycleError, match=text):
            await ref.alone(via)
        assert await ref.beside(via) == [1, 2], "the lane is free"


@pytest.mark.parametrize("via", [False, True], ids=["itself", "through another"])
async def test_a_caller_that_interleaves_waits_for_whoever_has_the_lane(
    deployment: Deployment,
    via: bool,
) -> None:
    gate, wanting = Gate(), asyncio.Event()
    system = await deployment.system()
    async with deployment.worker(clerk(gate, wanting), Courier), asyncio.timeout(HANG_SECONDS):
        ref = system.ref(ClerkRef, "k1").with_options(timeout=TIMEOUT_SECONDS)
        busy = asyncio.ensure_future(ref.busy())
        await gate.holds(1)
        reading = asyncio.ensure_future(ref.beside(via))
        await wanting.wait()
        gate.open.set()
        await busy
        assert await reading == [1, 2]
