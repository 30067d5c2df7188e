"""Worker processes that are to die, seen from the test that waits for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Final

from broker_actors import Settings
from tests.crash.doomed import BLOCKS, LOG, REFUSES
from tests.crash.fuse import FOLDER, SPOT
from tests.crash.points import Scene

#: A guard against hanging, not a measurement.
HANG_SECONDS: Final = 40.0
LOOK_SECONDS: Final = 0.01


class Doomed:
    """A worker process that is to die at a spot."""

    def __init__(self, pid: int, ended: asyncio.Future[int], spot: str, folder: Path) -> None:
        self._pid = pid
        self._ended = ended
        self._spot = spot
        self._folder = folder

    async def marked(self, name: str) -> None:
        """Return when it got as far as *name*."""
        while not (self._folder / name).exists():
            assert not self._ended.done(), f"{self._spot}: it died before {name}: {self._log()}"
            await asyncio.sleep(LOOK_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if not self._ended.done():
            os.kill(self._pid, number)

    async def died(self) -> None:
        """Return when it is dead; fail if that was not at its spot, or not by SIGKILL."""
        await asyncio.wait([self._ended], timeout=HANG_SECONDS)
        assert self._ended.done(), f"{self._spot} was never reached: {self._log()}"
        mark = self._folder / "died"
        found = mark.read_text() if mark.exists() else "nowhere by itself"
        assert (self._ended.result(), found) == (-signal.SIGKILL, self._spot), self._log()
        mark.unlink()

    def _log(self) -> str:
        return (self._folder / "log").read_text()[-5_000:]


class Ward:
    """Starts worker processes, one at a time, as *module* runs them; see `doomed.serve`."""

    def __init__(self, module: str = "tests.crash.doomed") -> None:
        known = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_ACTORS_")}
        command = (sys.executable, "-m", module)
        self._server = Popen(command, env=known, stdin=PIPE, stdout=PIPE, text=True)  # noqa: S603 - this very Python

    @asynccontextmanager
    async def doomed(
        self, settings: Settings, scene: Scene, spot: str, folder: Path
    ) -> AsyncIterator[Doomed]:
        """Run a worker process that is to die at *spot*; it does not outlive the block."""
        orders = {
            "BROKER_ACTORS_URL": settings.url,
            "BROKER_ACTORS_REDIS_URL": settings.redis_url,
            SPOT: spot,
            FOLDER: str(folder),
            LOG: str(folder / "log"),
        }
        if scene is Scene.REFUSED:
            orders[REFUSES] = "yes"
        if scene is Scene.BLOCK:
            orders[BLOCKS] = "yes"
        pid = await asyncio.to_thread(self._start, json.dumps(orders))
        ended = asyncio.ensure_future(asyncio.to_thread(self._answer))
        one = Doomed(pid, ended, spot, folder)
        try:
            yield one
        finally:
            one.signal(signal.SIGKILL)
            await ended

    def close(self) -> None:
        """End the one that starts them."""
        with self._server as server:
            server.kill()

    def _start(self, orders: str) -> int:
        assert self._server.stdin is not None
        print(orders, file=self._server.stdin, flush=True)
        return self._answer()

    def _answer(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())
