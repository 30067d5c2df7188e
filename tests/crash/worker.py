"""Worker processes that are to die, seen from the test that waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from broker_actors import Settings
from tests.crash.doomed import REFUSES
from tests.crash.fuse import FOLDER, SPOT
from tests.crash.points import Scene

#: A guard against hanging, not a measurement.
HANG_SECONDS: Final = 40.0
LOOK_SECONDS: Final = 0.01


class Doomed:
    """A worker process that is to die at a spot."""

    def __init__(self, process: Process, spot: str, folder: Path) -> None:
        self._process = process
        self._spot = spot
        self._folder = folder

    async def marked(self, name: str) -> None:
        """Return when it got as far as *name*."""
        while not (self._folder / name).exists():
            assert self._process.returncode is None, f"{self._spot}: it died before {name}: {self._log()}"
            await asyncio.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Ask it to stop in order."""
        self._process.terminate()

    async def died(self) -> None:
        """Return when it is dead; fail if that was not at its spot, or not by SIGKILL."""
        try:
            async with asyncio.timeout(HANG_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            raise AssertionError(f"{self._spot} was never reached: {self._log()}") from None
        mark = self._folder / "died"
        found = mark.read_text() if mark.exists() else "nowhere by itself"
        assert (code, found) == (-signal.SIGKILL, self._spot), self._log()
        mark.unlink()

    async def ended(self) -> None:
        """End it if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def _log(self) -> str:
        return (self._folder / "log").read_text()[-5_000:]


@asynccontextmanager
async def doomed(settings: Settings, scene: Scene, spot: str, folder: Path) -> AsyncIterator[Doomed]:
    """Run a worker process that is to die at *spot*; nothing of it outlives the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_ACTORS_")}
    environment |= {
        "BROKER_ACTORS_URL": settings.url,
        "BROKER_ACTORS_REDIS_URL": settings.redis_url,
        SPOT: spot,
        FOLDER: str(folder),
    }
    if scene is Scene.REFUSED:
        environment[REFUSES] = "yes"
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.crash.doomed"),
            env=environment,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
        )
    one = Doomed(process, spot, folder)
    try:
        yield one
    finally:
        await one.ended()
