from __future__ import annotations

import asyncio
import os
import signal
import socket

import pytest

from broker_actors.worker.lifeline import READY, Lifeline

#: A guard against hanging, not a measurement.
HANG_SECONDS = 30


@pytest.fixture
async def killed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[tuple[int, int]]:
    """Whom the line has killed: this process, if it were real."""
    loop, found = asyncio.get_running_loop(), asyncio.Queue[tuple[int, int]]()

    def kill(pid: int, number: int) -> None:
        loop.call_soon_threadsafe(found.put_nowait, (pid, number))

    monkeypatch.setattr(os, "kill", kill)
    return found


@pytest.mark.parametrize("was_read", [True, False], ids=["read", "unread"])
async def test_a_parent_that_is_gone_ends_the_child_whether_or_not_it_had_heard_of_its_readiness(
    killed: asyncio.Queue[tuple[int, int]], *, was_read: bool
) -> None:
    parents, childs = socket.socketpair()
    line, stopping = Lifeline(childs.detach()), asyncio.Event()
    line.watch(stopping.set, 0)
    line.ready()
    if was_read:
        assert parents.recv(1) == READY
    assert not stopping.is_set()
    parents.close()
    async with asyncio.timeout(HANG_SECONDS):
        await stopping.wait()
        # It took too long, as it may take no time at all here.
        assert await killed.get() == (os.getpid(), signal.SIGKILL)
    # As when the parent goes in the instant before it.
    line.ready()
    line._socket.close()
