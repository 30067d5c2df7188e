"""The processes of a soak, each behind proxies of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from tests.servers.process import Process
from tests.soak import witness
from tests.soak.mutants import MUTANT
from tests.soak.proxy import Proxy
from tests.soak.sender import Orders
from tests.soak.sites import Site

ROOT: Final = Path(__file__).parents[2]
#: So short that a frozen or cut off process is taken for dead while a soak lasts.
HEARTBEAT_SECONDS: Final = 2
_LOOK_SECONDS: Final = 0.05
#: What workers and senders say when they are.
_READY: Final = b"ready: "


class Party:
    """One process that talks to broker and store.

    Args:
        name: of it.
        site: where the servers are.
        folder: for its journal and its log.
        random: chooses broker nodes.

    """

    def __init__(self, name: str, site: Site, folder: Path, random: Random) -> None:
        self.name = name
        self.broker = Proxy(site.broker_ports, random)
        self.store = Proxy([site.store.port], random)
        self._site = site
        self._folder = folder
        self._process: Process | None = None
        #: Where the log of its last start begins.
        self._log_begins = 0
        #: Whether something is being done to it.
        self.is_busy = False

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.is_running

    @property
    def log(self) -> Path:
        """What it said."""
        return self._folder / f"{self.name}.log"

    async def open(self) -> None:
        """Open its proxies."""
        await self.broker.start()
        await self.store.start()

    async def start(self) -> None:
        """Start its process; it may not be ready yet."""
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("BROKER_ACTORS_", "SOAK_"))}
        environment |= {"PYTHONPATH": str(ROOT), witness.FOLDER: str(self._folder)}
        environment |= {"BROKER_ACTORS_URL": self.url, "BROKER_ACTORS_REDIS_URL": self.redis_url}
        if self._site.mutant:
            environment[MUTANT] = self._site.mutant
        command = [sys.executable, "-m", *self.words()]
        self._log_begins = self.log.stat().st_size if self.log.exists() else 0
        self._process = await asyncio.to_thread(Process, command, environment, self._folder, self.log)

    def words(self) -> Sequence[str]:
        """Return its module and arguments."""
        return ("broker_actors.cli", *(["-v"] if self._site.verbose else []), "worker", "tests.soak.worker")

    @property
    def url(self) -> str:
        """The broker, as it sees it."""
        return _through(self._site.amqp_url, self.broker.port, f"heartbeat={HEARTBEAT_SECONDS}")

    @property
    def redis_url(self) -> str:
        """The store, as it sees it."""
        return _through(self._site.store.url, self.store.port)

    async def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            await asyncio.to_thread(self._process.kill)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self._process is not None and self._process.is_running:
            self._process.signal(number)

    async def ended(self, timeout_seconds: float) -> bool:
        """Return whether it ended within that time."""
        return await holds(lambda: not self.is_running, timeout_seconds)

    async def ready(self, timeout_seconds: float) -> bool:
        """Return whether it said since its last start, within that time, that it is ready."""
        return await holds(lambda: not self.is_running or self._says(_READY), timeout_seconds)

    def _says(self, text: bytes) -> bool:
        with self.log.open("rb") as log:
            log.seek(self._log_begins)
            return text in log.read()

    @property
    def exit_code(self) -> int | None:
        """How it ended; None if it did not."""
        return None if self._process is None else self._process.exit_code

    def heal(self) -> None:
        """Let it go on, and let everything through to it."""
        self.signal(signal.SIGCONT)
        self.broker.heal()
        self.store.heal()

    async def close(self) -> None:
        """End it and its proxies."""
        await self.kill()
        await asyncio.gather(self.broker.close(), self.store.close())


class Caller(Party):
    """A sender."""

    def __init__(self, orders: Orders, site: Site, folder: Path, random: Random) -> None:
        super().__init__(orders.name, site, folder, random)
        self._orders = orders

    def words(self) -> Sequence[str]:
        """Return its module and arguments."""
        given = self._orders
        orders = Orders(
            *(given.name, given.seed, self.url, self.redis_url, str(self._folder)),
            given.lines,
            given.pause_seconds,
        )
        return ("tests.soak.sender", orders.text())


def _through(url: str, port: int, query: str = "") -> str:
    parts = urlsplit(url)
    user = f"{parts.username}:{parts.password}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{port}", query=query))


async def holds(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Return whether *condition* held within that time: what other processes do sends no event."""
    loop = asyncio.get_running_loop()
    end_seconds = loop.time() + timeout_seconds
    while not condition():
        if loop.time() > end_seconds:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True
