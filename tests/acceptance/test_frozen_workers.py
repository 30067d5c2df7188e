"""A worker process that is frozen in the middle of a turn until another has its actor."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker_actors import Settings
from tests.acceptance.conftest import Deployment
from tests.acceptance.doomed_till import Witness, WitnessRef
from tests.acceptance.frozen import FROZEN, Frozen, FrozenRef
from tests.acceptance.processes import HANG_SECONDS, process, said


async def test_a_thawed_worker_cannot_commit(
    amqp_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = tmp_path / "go on"
    os.mkfifo(go_on)
    # The broker takes a silent worker for dead after a few seconds, instead of a minute.
    settings = Settings(url=f"{amqp_url}?heartbeat=2", redis_url=redis_url)
    async with asyncio.timeout(HANG_SECONDS), AsyncExitStack() as stack:
        real = Deployment(settings, None, stack)
        system = await real.system()
        ref = system.ref(FrozenRef, "f1").with_options(timeout=HANG_SECONDS)
        witness = system.ref(WitnessRef, "w1").with_options(timeout=HANG_SECONDS)
        monkeypatch.setenv(FROZEN, str(go_on))
        async with process(real, "worker", "tests.acceptance.frozen") as frozen:
            monkeypatch.delenv(FROZEN)
            adding = asyncio.ensure_future(ref.add())
            await said(frozen, "begun")
            frozen.send_signal(signal.SIGSTOP)
            async with real.worker(Frozen, Witness):
                assert [await adding, await ref.add()] == [1, 2]
                frozen.send_signal(signal.SIGCONT)
                await asyncio.to_thread(go_on.write_text, "go on")
                await said(frozen, "goes on")
            # It recovers by itself, and nothing of what it had begun is there.
            assert await ref.where() == frozen.pid
            assert await ref.total() == 2
            assert await witness.times() == 2
