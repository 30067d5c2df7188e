"""Computations, each in a process of its own while it runs, so many at a time.

A process runs one call at a time, so that one that dies, or is killed at its deadline,
takes nobody else's call with it. Idle ones are kept. Invariants: no process outlives this
one, which holds the other end of its lifeline; after `close` none is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Final, ParamSpec, TypeVar

from broker_actors.core.errors import SystemFaultError

P = ParamSpec("P")
T = TypeVar("T")

PROCESSES_MAX: Final = 4


class Processes:
    """The processes of one worker."""

    def __init__(self, processes_max: int = PROCESSES_MAX) -> None:
        self._room = asyncio.Semaphore(processes_max)
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what *function* returns, run in a process; its arguments and its result are copied.

        A caller that gives up has the process killed.

        Raises:
            SystemFaultError: the process died; recoverable, for another one may not.
            Exception: what the function raises.

        """
        async with self._room:
            process = self._idle.pop() if self._idle else _Process()
            self._busy.add(process)
            try:
                result = await process.run(function, *args, **kwargs)
            except BaseException:
                # Dead, or in the middle of what nobody waits for.
                process.kill()
                raise
            finally:
                self._busy.discard(process)
            self._idle.append(process)
            return result

    def close(self) -> None:
        """Kill all of them. Idempotent."""
        for process in (*self._idle, *self._busy):
            process.kill()
        self._idle.clear()


class _Process:
    """One process."""

    def __init__(self) -> None:
        # Never forked: this process has threads and connections, which a fork would share.
        context = get_context("spawn")
        self._theirs, self._lifeline = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(1, context, initializer=_prepare, initargs=(self._theirs,))
        self._pid = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what *function* returns; raises what `Processes.run` raises."""
        try:
            if not self._pid:
                self._pid = await asyncio.wrap_future(self._executor.submit(os.getpid))
            return await asyncio.wrap_future(self._executor.submit(function, *args, **kwargs))
        except BrokenProcessPool as error:
            text = (
                f"process {self._pid or 'that was being started'} died while it computed: "
                "killed, out of memory, or the module of its actor cannot be imported"
            )
            raise SystemFaultError(text) from error

    def kill(self) -> None:
        """End the process at once."""
        self._theirs.close()
        self._lifeline.close()
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self._executor.shutdown(wait=False, cancel_futures=True)


def _prepare(lifeline: Connection) -> None:
    """Make this process end with its parent, and not by the signals that ask the parent to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def wait() -> None:
        # Nothing is ever sent: it ends when the parent closes its end, or is gone.
        with suppress(EOFError, OSError):
            lifeline.recv()
        os._exit(1)

    threading.Thread(target=wait, name="broker-actors-lifeline", daemon=True).start()
