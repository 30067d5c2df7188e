"""The parent of worker processes: keeps them, answers for them, stops them; it runs no actors."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import typer

from broker_actors.cli import options, running
from broker_actors.cli.daemon import CLOSE_SECONDS, Options
from broker_actors.cli.output import Code
from broker_actors.cli.reporting import LOGGER, announce, show_dump
from broker_actors.cli.signals import on_dump_signal, on_stop_signals
from broker_actors.core.errors import ConfigurationError
from broker_actors.worker.child import Plan
from broker_actors.worker.family import FamilyProbe
from broker_actors.worker.health import HealthServer
from broker_actors.worker.listening import private_place
from broker_actors.worker.supervisor import Supervisor


class Parent:
    """The processes of one command line, over all the times that they are started anew."""

    def __init__(self, wanted: Options, plan: Plan) -> None:
        self._wanted = wanted
        self._plan = plan
        self._current: Supervisor | None = None
        #: Set when this process has been told to stop.
        self.stopping = asyncio.Event()

    def start(self) -> tuple[Supervisor, asyncio.Task[bool]]:
        """Start the processes; the task ends with them."""
        supervisor = self._current = Supervisor(self._plan)
        return supervisor, asyncio.create_task(self._run(supervisor))

    def stop(self) -> None:
        """Have the processes stop in order, for good."""
        if not self.stopping.is_set():
            announce("stopping", self._wanted.log_format)
        self.stopping.set()
        if self._current is not None:
            self._current.stop()

    @contextmanager
    def observed(self) -> Generator[None]:
        """Answer to signals and to those who ask how the processes are."""
        probe = FamilyProbe(self._plan, lambda: {} if self._current is None else self._current.children)
        with ExitStack() as around:
            around.enter_context(on_dump_signal(self._forward_dump))
            around.enter_context(on_stop_signals(self.stop, self._kill))
            if self._wanted.health is not None:
                around.enter_context(HealthServer(probe, self._wanted.health))
            try:
                around.enter_context(HealthServer(probe, private_place(f"{os.getpid()}.sock")))
            except (OSError, ConfigurationError) as error:
                LOGGER.debug("`broker-actors debug dump %d` will not work: %s", os.getpid(), error)
            yield

    async def _run(self, supervisor: Supervisor) -> bool:
        ready = asyncio.create_task(self._announce_ready(supervisor))
        try:
            return await supervisor.run()
        finally:
            ready.cancel()

    async def _announce_ready(self, supervisor: Supervisor) -> None:
        await supervisor.ready.wait()
        count = self._plan.count
        where = f" in {count} processes" if count > 1 else ""
        announce(f"ready: {', '.join(self._wanted.targets)}{where}", self._wanted.log_format)

    def _forward_dump(self, _frame: FrameType | None) -> None:
        if self._current is not None:
            pids = {slot: child.pid for slot, child in self._current.children.items()}
            show_dump(f"parent process {os.getpid()} of {pids}\n", self._wanted.log_format)
            self._current.forward(signal.SIGUSR1)

    def _kill(self) -> None:
        if self._current is not None:
            self._current.kill()
        shutil.rmtree(self._plan.folder, ignore_errors=True)


async def supervise(wanted: Options, count: int) -> None:
    """Keep *count* processes until this one is told to stop.

    Raises:
        BrokerActorsError: they cannot start.
        Exit: one of them did not stop in order.

    """
    with planned(wanted, count) as plan:
        parent = Parent(wanted, plan)
        with parent.observed():
            _supervisor, ending = parent.start()
            finish(wanted, in_order=await ending)


def finish(wanted: Options, *, in_order: bool) -> None:
    """Say that it is over.

    Raises:
        Exit: not in order.

    """
    if not in_order:
        raise typer.Exit(Code.PLATFORM)
    announce("stopped", wanted.log_format)


@contextmanager
def planned(wanted: Options, count: int) -> Generator[Plan]:
    """Yield how the processes are to be started; their sockets are gone afterwards.

    Raises:
        ConfigurationError: no broker is named, a setting cannot be, or there is no folder for the sockets.

    """
    settings = running.connect(wanted.amqp, wanted.redis).settings
    try:
        folder = tempfile.TemporaryDirectory(prefix="broker-actors-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigurationError(f"no folder for sockets: {error}; TMPDIR can name one") from error
    # URLs go through the environment: they have passwords, and everybody sees command lines.
    environment = os.environ | {
        "BROKER_ACTORS_URL": settings.url,
        "BROKER_ACTORS_REDIS_URL": settings.redis_url,
    }
    environment.pop(options.HEALTH_VARIABLE, None)
    verbose = ["--verbose"] if LOGGER.isEnabledFor(logging.DEBUG) else []
    words = ["worker", *wanted.targets, "--log-format", wanted.log_format.value]
    command = [sys.executable, "-m", "broker_actors.cli", *verbose, *words]
    stop_seconds = settings.drain_timeout_seconds + CLOSE_SECONDS
    with folder as path:
        yield Plan(command, environment, Path(path), count, stop_seconds)
