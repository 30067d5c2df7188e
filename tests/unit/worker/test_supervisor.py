"""Keeping processes, with tiny programs in place of workers."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from broker_actors.worker import supervisor as module
from broker_actors.worker.child import Plan
from broker_actors.worker.supervisor import RESTART, StartFailedError, Supervisor

#: A guard against hanging, not a measurement.
HANG_SECONDS = 30

#: Says that it is ready and runs until its parent ends the line.
GOOD = """
import socket, sys
line = socket.socket(fileno=int(sys.argv[sys.argv.index("--lifeline") + 1]))
line.send(b"r")
line.recv(1)
"""
STUBBORN = GOOD + "import signal; signal.pause()"
#: Fails, except for its first start.
ONCE = f"import os, sys\nif os.path.exists('been'): sys.exit(3)\nopen('been', 'w').close()\n{GOOD}"


def plan(code: str, folder: Path, *, count: int = 2, stop_seconds: float = HANG_SECONDS) -> Plan:
    return Plan([sys.executable, "-S", "-c", code], os.environ, folder, count, stop_seconds)


async def ready(supervisor: Supervisor) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        await supervisor.ready.wait()


async def test_processes_run_until_told_to_stop_and_then_end_in_order(tmp_path: Path) -> None:
    supervisor = Supervisor(plan(GOOD, tmp_path))
    running = asyncio.create_task(supervisor.run())
    await ready(supervisor)
    assert sorted(supervisor.children) == [1, 2]
    supervisor.stop()
    assert await running is True
    assert supervisor.children == {}


async def test_one_that_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(plan(STUBBORN, tmp_path, count=1, stop_seconds=0.1))
    running = asyncio.create_task(supervisor.run())
    await ready(supervisor)
    supervisor.stop()
    assert await running is False


async def test_one_that_a_signal_to_all_meets_before_it_listens_to_signals_has_stopped_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    starting = "import os, time; open(f'{os.getpid()}', 'w').close(); time.sleep(60)"
    supervisor = Supervisor(plan(starting, tmp_path, count=1))
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(HANG_SECONDS):
        while not supervisor.children:  # noqa: ASYNC110 - it is started, and nothing tells of it
            await asyncio.sleep(0)
        supervisor.stop()
        for child in supervisor.children.values():
            child.signal(signal.SIGTERM)
        assert await running is True
    assert "did not stop in order" not in caplog.text


async def test_one_that_was_ready_and_dies_of_a_signal_has_not_stopped_in_order(tmp_path: Path) -> None:
    supervisor = Supervisor(plan(STUBBORN, tmp_path, count=1))
    running = asyncio.create_task(supervisor.run())
    await ready(supervisor)
    supervisor.stop()
    for child in supervisor.children.values():
        child.signal(signal.SIGTERM)
    assert await running is False


async def test_one_that_gives_up_before_any_was_ready_ends_them_all(tmp_path: Path) -> None:
    with pytest.raises(
        StartFailedError, match=r"worker process \d ended with exit code 2 before it was ready"
    ):
        await Supervisor(plan("import sys; sys.exit(2)", tmp_path)).run()


async def test_every_early_death_doubles_the_bound_of_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", logger="broker_actors.worker")
    monkeypatch.setattr(module, "RESTART", type(RESTART)(min_backoff=0.01, max_backoff=0.04))
    died: list[float] = []
    enough = asyncio.Event()
    supervisor = Supervisor(plan(ONCE, tmp_path, count=1), chance=_Always())

    class Deaths(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if getattr(record, "event", "") == "ProcessDied":
                died.append(record.__dict__["restart_seconds"])
                if len(died) == 5:
                    enough.set()

    handler = Deaths()
    module.LOGGER.addHandler(handler)
    running = asyncio.create_task(supervisor.run())
    try:
        await ready(supervisor)
        supervisor.children[1].kill()
        async with asyncio.timeout(HANG_SECONDS):
            await enough.wait()
    finally:
        module.LOGGER.removeHandler(handler)
        supervisor.stop()
        await running
    assert died[:5] == [0.01, 0.02, 0.04, 0.04, 0.04]
    assert "was killed by SIGKILL after" in caplog.text
    assert "ended with exit code 3 after" in caplog.text


async def test_a_program_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESTART", type(RESTART)(min_backoff=0.01, max_backoff=0.01))
    program = tmp_path / "program"
    supervisor = Supervisor(Plan([str(program)], os.environ, tmp_path, 1, HANG_SECONDS))
    running = asyncio.create_task(supervisor.run())
    program.write_text(f"#!{sys.executable}\n{GOOD}")
    program.chmod(0o700)
    await ready(supervisor)
    supervisor.stop()
    assert await running is True


async def test_kill_ends_them_at_once(tmp_path: Path) -> None:
    supervisor = Supervisor(plan(STUBBORN, tmp_path))
    running = asyncio.create_task(supervisor.run())
    await ready(supervisor)
    supervisor.kill()
    assert await running is False


async def test_a_signal_is_forwarded_to_those_that_are_ready(tmp_path: Path) -> None:
    code = GOOD.replace(
        "line.send", "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: sys.exit(0))\nline.send"
    )
    supervisor = Supervisor(plan(code, tmp_path, count=1))
    running = asyncio.create_task(supervisor.run())
    await ready(supervisor)
    child = supervisor.children[1]
    supervisor.forward(signal.SIGUSR1)
    async with asyncio.timeout(HANG_SECONDS):
        assert await child.ended() == 0
    supervisor.stop()
    await running


class _Always(random.Random):
    """Chance that is always at its bound."""

    def random(self) -> float:
        return 1.0
