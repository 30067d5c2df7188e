"""Worker processes that are to die, seen from the test that waits for it.

Starting an interpreter takes longer than most deaths, so the next one loads while the
last one dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Final

from broker_actors import Settings
from tests.crash.doomed import LOG, REFUSES
from tests.crash.fuse import FOLDER, SPOT
from tests.crash.points import Scene

#: A guard against hanging, not a measurement.
HANG_SECONDS: Final = 40.0
LOOK_SECONDS: Final = 0.01


class Doomed:
    """A worker process that is to die at a spot."""

    def __init__(self, process: Popen[bytes], spot: str, folder: Path) -> None:
        self._process = process
        self._spot = spot
        self._folder = folder

    async def marked(self, name: str) -> None:
        """Return when it got as far as *name*."""
        while not (self._folder / name).exists():
            assert self._process.poll() is None, f"{self._spot}: it died before {name}: {self._log()}"
            await asyncio.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Ask it to stop in order."""
        self._process.terminate()

    async def died(self) -> None:
        """Return when it is dead; fail if that was not at its spot, or not by SIGKILL."""
        try:
            code = await asyncio.to_thread(self._process.wait, HANG_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self._spot} was never reached: {self._log()}") from None
        mark = self._folder / "died"
        found = mark.read_text() if mark.exists() else "nowhere by itself"
        assert (code, found) == (-signal.SIGKILL, self._spot), self._log()
        mark.unlink()

    def _log(self) -> str:
        return (self._folder / "log").read_text()[-5_000:]


class Ward:
    """Starts worker processes, one of them ahead."""

    def __init__(self) -> None:
        self._spare = _start()

    @contextmanager
    def doomed(self, settings: Settings, scene: Scene, spot: str, folder: Path) -> Iterator[Doomed]:
        """Run a worker process that is to die at *spot*; nothing of it outlives the block."""
        process, self._spare = self._spare, _start()
        orders = {
            "BROKER_ACTORS_URL": settings.url,
            "BROKER_ACTORS_REDIS_URL": settings.redis_url,
            SPOT: spot,
            FOLDER: str(folder),
            LOG: str(folder / "log"),
        }
        if scene is Scene.REFUSED:
            orders[REFUSES] = "yes"
        try:
            _order(process, orders)
            yield Doomed(process, spot, folder)
        finally:
            _end(process)

    def close(self) -> None:
        """End the spare one."""
        _end(self._spare)


def _start() -> Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_ACTORS_")}
    return Popen((sys.executable, "-m", "tests.crash.doomed"), env=environment, stdin=PIPE)


def _order(process: Popen[bytes], orders: Mapping[str, str]) -> None:
    assert process.stdin is not None
    with process.stdin as stdin:
        stdin.write(json.dumps(orders).encode() + b"\n")


def _end(process: Popen[bytes]) -> None:
    process.kill()
    process.wait(HANG_SECONDS)
    if process.stdin is not None:
        process.stdin.close()
