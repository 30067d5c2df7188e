"""A large transfer needs no more memory than a small one, anywhere."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.acceptance.conftest import Deployment
from tests.acceptance.mortal import MortalRef
from tests.acceptance.processes import process

SIZE_BYTES = 64 * 1024
PIECES = 200 * 1_000_000 // SIZE_BYTES
GROWTH_BYTES_MAX = 50_000_000
HANG_SECONDS = 250.0

pytestmark = [pytest.mark.verify, pytest.mark.timeout(HANG_SECONDS + 50)]


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


async def test_two_hundred_megabytes_leave_memory_flat(real: Deployment) -> None:
    system = await real.system()
    async with (
        asyncio.timeout(HANG_SECONDS),
        process(real, "worker", "tests.acceptance.mortal") as worker,
        Redis.from_url(real.settings.redis_url) as redis,
    ):
        one = system.ref(MortalRef, "m1").with_options(timeout=HANG_SECONDS)
        # A first small one, after which everything is loaded.
        await one.blob(100, SIZE_BYTES)
        before = (resident_bytes(worker.pid), resident_bytes(os.getpid()), await used(redis))
        most, received = list(before), 0
        async for piece in one.blob(PIECES, SIZE_BYTES):
            assert piece[:4] == received.to_bytes(4, "big")
            received += 1
            if received % 200 == 0:
                now = (resident_bytes(worker.pid), resident_bytes(os.getpid()), await used(redis))
                most = [max(pair) for pair in zip(most, now, strict=True)]
    assert received == PIECES
    assert [high - low < GROWTH_BYTES_MAX for high, low in zip(most, before, strict=True)] == [True] * 3


async def used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])
