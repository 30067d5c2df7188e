"""`worker --processes N`: a parent and its processes, each a program of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

import pytest

from broker_actors import ActorSystem, PlatformError
from broker_actors.worker.listening import tcp
from tests.servers.ports import free_port
from tests.workers.conftest import Run
from tests.workers.daemons import http, pids_of
from tests.workers.shell import HANG_SECONDS

#: Between two looks at a folder.
POLL_SECONDS = 0.01


async def test_a_process_that_dies_is_started_again_and_the_endpoint_tells_the_truth(run: Run) -> None:
    place = tcp(f"127.0.0.1:{free_port()}")
    async with run("--processes", "2", "--health", str(place)) as parent:
        await parent.line("ready: sleeper in 2 processes")
        assert await http(place, "/ready") == (200, '{"ready": true, "reasons": []}\n')
        assert await http(place, "/alive") == (200, '{"alive": true, "reasons": []}\n')
        first, second = pids_of(parent.lines)
        seen = len(parent.lines)
        os.kill(first, signal.SIGSTOP)
        os.kill(first, signal.SIGKILL)
        line = await parent.line(
            f"(pid {first}) was killed by SIGKILL after", "starting again in", after=seen
        )
        again = f"{line.split(' (pid')[0].split('WARNING ')[1]} (pid"
        # Whoever restarts what is not alive would end the healthy one, too.
        while not any(again in line and "is ready" in line for line in parent.lines[seen:]):
            assert await http(place, "/alive") == (200, '{"alive": true, "reasons": []}\n')
        await parent.line(again, "is ready", after=seen)
        assert await http(place, "/ready") == (200, '{"ready": true, "reasons": []}\n')
        os.kill(second, signal.SIGSTOP)
        status, text = await http(place, "/alive")
        assert (status, json.loads(text)["alive"]) == (503, False)
        assert f"(pid {second}): no answer" in text
        os.kill(second, signal.SIGCONT)
        _status, dump = await http(place, "/dump")
        for pid in (second, pids_of(parent.lines)[-1]):
            assert f"worker process {pid} at" in dump


async def test_a_parent_that_is_told_to_stop_drains_its_processes_and_exits_with_0(
    run: Run, system: ActorSystem
) -> None:
    async with run("--processes", "2") as parent:
        await parent.line("ready: sleeper")
        actors = [system.ref("Sleeper", str(n)) for n in range(4)]
        asking = [asyncio.create_task(actor.call("nap", 0.5)) for actor in actors]
        for actor in actors:
            await parent.line(f"napping [{actor.address}.nap")
        # As a service manager does: to every process of the service at once.
        for pid in (*pids_of(parent.lines), parent.pid):
            os.kill(pid, signal.SIGTERM)
        assert await asyncio.gather(*asking) == [1, 1, 1, 1]
        assert await parent.ended() == 0
        assert parent.lines[-1] == "stopped"


async def test_processes_stop_in_order_when_their_parent_is_killed(run: Run, system: ActorSystem) -> None:
    async with run("--processes", "2") as parent:
        await parent.line("ready: sleeper")
        asking = asyncio.create_task(system.ref("Sleeper", "s1").call("nap", 0.5))
        await parent.line("napping")
        parent.process.kill()
        assert await asking == 1
        # They hold its stderr, which ends with the last of them.
        assert await parent.ended() == -signal.SIGKILL
        assert not any("Traceback" in line for line in parent.lines)


@pytest.mark.verify
async def test_processes_stop_in_order_when_their_parent_is_killed_before_it_heard_that_they_are_ready(
    run: Run,
) -> None:
    # A path of a socket must be short.
    with TemporaryDirectory() as folder:
        async with run("--processes", "2", TMPDIR=folder) as parent:
            sockets = await asyncio.to_thread(_sockets, Path(folder))
            parent.process.send_signal(signal.SIGSTOP)
            for slot in (1, 2):
                while not await _is_ready(sockets / f"{slot}.sock"):
                    pass
            assert len(pids_of(parent.lines)) < 2
            parent.process.kill()
            # They hold its stderr, which ends with the last of them.
            assert await parent.ended() == -signal.SIGKILL
            assert not any("Traceback" in line or "Exception in thread" in line for line in parent.lines)


@pytest.mark.verify
async def test_a_parent_asked_twice_ends_everything_at_once(run: Run, system: ActorSystem) -> None:
    async with run("--processes", "2") as parent:
        await parent.line("ready: sleeper")
        await system.ref("Sleeper", "s1").nap.tell(1000)
        await parent.line("napping")
        parent.process.terminate()
        await parent.line("stopping")
        parent.process.terminate()
        assert await parent.ended() == -signal.SIGTERM


@pytest.mark.verify
async def test_the_signal_for_a_dump_reaches_every_process(run: Run) -> None:
    async with run("--processes", "2") as parent:
        await parent.line("ready: sleeper")
        parent.process.send_signal(signal.SIGUSR1)
        for pid in pids_of(parent.lines):
            await parent.line(f"worker process {pid} at")


@pytest.mark.verify
async def test_processes_that_cannot_start_end_the_parent(run: Run, sleeper: Path) -> None:
    (sleeper / "sleeper.py").write_text("1 / 0")
    async with run("--processes", "2") as parent:
        assert await parent.ended() == 2
        assert "ZeroDivisionError" in "".join(parent.lines)
        assert "ended with exit code 2 before it was ready" in parent.lines[-1]


def _sockets(folder: Path) -> Path:
    """Return the folder in which the processes answer, once one has begun to."""
    deadline_seconds = monotonic() + HANG_SECONDS
    while not (found := list(folder.glob("broker-actors-*/*.sock"))):
        assert monotonic() < deadline_seconds
        Event().wait(POLL_SECONDS)
    return found[0].parent


async def _is_ready(place: Path) -> bool:
    with suppress(PlatformError):
        return (await http(place, "/ready"))[0] == 200
    # Nobody listens there yet.
    return False
