"""One worker process, as its parent sees it."""

from __future__ import annotations

import asyncio
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Self


@dataclass(frozen=True, slots=True)
class Plan:
    """How child processes are started and stopped.

    Attributes:
        command: the program, to which `--lifeline FD` and `--control PATH` are added.
        environment: its environment.
        folder: where the sockets of their health endpoints are; of this user alone.
        count: how many run.
        stop_seconds: what an orderly end may take.

    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    count: int
    stop_seconds: float

    def place(self, slot: int) -> Path:
        """Return where the endpoint of process *slot* is."""
        return self.folder / f"{slot}.sock"


class Child:
    """A process of ours, from its start to its end."""

    def __init__(self, slot: int, process: Process, line: socket.socket) -> None:
        self.slot = slot
        self.pid = process.pid
        #: Whether it has said that it does its work.
        self.is_ready = False
        self._process = process
        self._line = line
        self._started_seconds = monotonic()

    @classmethod
    async def start(cls, plan: Plan, slot: int) -> Self:
        """Start process *slot*.

        Raises:
            OSError: the system cannot.

        """
        line, theirs = socket.socketpair()
        try:
            with theirs:
                options = ["--lifeline", str(theirs.fileno()), "--control", str(plan.place(slot))]
                process = await asyncio.create_subprocess_exec(
                    *plan.command,
                    *options,
                    env=plan.environment,
                    pass_fds=[theirs.fileno()],
                    stdin=DEVNULL,
                    # Ctrl-C is for the parent alone, or each child would be asked to stop twice.
                    process_group=0,
                )
        except BaseException:
            line.close()
            raise
        line.settimeout(0)
        return cls(slot, process, line)

    @property
    def age_seconds(self) -> float:
        """How long ago it was started."""
        return monotonic() - self._started_seconds

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.returncode is not None

    async def readiness(self) -> None:
        """Return once it has said that it is ready, or has ended without."""
        with suppress(OSError):
            self.is_ready = bool(await asyncio.get_running_loop().sock_recv(self._line, 1))

    async def ended(self) -> int:
        """Return its exit code once it has ended; negative for the signal that killed it."""
        return await self._process.wait()

    def close(self) -> None:
        """Let go of what is kept for it. Idempotent; a process that still runs stops in order."""
        self._line.close()

    async def stop(self, seconds: float) -> int:
        """Have it stop in order and return its exit code; kill it after *seconds*."""
        self.close()
        try:
            async with asyncio.timeout(seconds):
                return await self.ended()
        except TimeoutError:
            self.kill()
            return await self.ended()

    def kill(self) -> None:
        """End it at once. Idempotent."""
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if not self.has_ended:
            self._process.send_signal(number)
