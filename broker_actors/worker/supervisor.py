"""Keeps a number of worker processes running, until told to stop them.

Invariants: whatever ends a child, another takes its place, after a wait that grows with
every early death; when this process ends, however it ends, the children stop in order.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from contextlib import suppress
from typing import Final

from broker_actors.core.errors import PlatformError
from broker_actors.core.retry import Retry
from broker_actors.worker.child import Child, Plan

LOGGER: Final = logging.getLogger("broker_actors.worker")

#: Between the death of a child and its successor: exponential, with full jitter, for ever.
RESTART: Final = Retry(min_backoff=0.5, max_backoff=30.0)
#: A child that lived so long did not die of its start: the wait begins anew.
STABLE_SECONDS: Final = 60.0


class StartFailedError(PlatformError):
    """A child gave up before any was ready: starting it again would end the same way."""


class Supervisor:
    """Keeps the processes of one plan. Runs once."""

    def __init__(self, plan: Plan, *, chance: random.Random | None = None) -> None:
        """Prepare.

        Args:
            plan: what to run.
            chance: where the jitter comes from.

        """
        self._plan = plan
        self._chance = chance or random.SystemRandom()
        self._children: dict[int, Child] = {}
        self._stopping = asyncio.Event()
        self._was_ready = False
        #: Set when every process is ready for the first time.
        self.ready = asyncio.Event()

    @property
    def children(self) -> dict[int, Child]:
        """The processes that run or are waited for, by slot; one that is to be started is missing."""
        # A copy first, as other threads ask, too.
        return {slot: child for slot, child in self._children.copy().items() if not child.has_ended}

    async def run(self) -> bool:
        """Keep the processes until `stop`; return whether all of them ended in order then.

        Raises:
            StartFailedError: one gave up before any was ready. The others have been stopped.

        """
        keeping = [asyncio.create_task(self._keep(slot)) for slot in range(1, self._plan.count + 1)]
        try:
            await asyncio.wait(keeping, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self.stop()
            results = await asyncio.gather(*keeping, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return all(results)

    def stop(self) -> None:
        """Have `run` stop the processes in order and return. Idempotent."""
        self._stopping.set()

    def kill(self) -> None:
        """End the processes at once."""
        self.stop()
        for child in self._children.values():
            child.kill()

    def forward(self, number: signal.Signals) -> None:
        """Send a signal to the processes that are ready: one that starts could die of it."""
        for child in self.children.values():
            if child.is_ready:
                child.signal(number)

    async def _keep(self, slot: int) -> bool:
        failures = 0
        while not self._stopping.is_set():
            try:
                child = self._children[slot] = await Child.start(self._plan, slot)
            except OSError as error:
                failures += 1
                await self._wait(slot, failures, f"worker process {slot} cannot be started: {error}")
                continue
            code = await self._watch(child)
            if code is None:
                return await self._end(child)
            child.close()
            if code > 0 and not self._was_ready:
                raise StartFailedError(f"worker process {slot} {_how(code)} before it was ready")
            failures = 1 if child.age_seconds > STABLE_SECONDS else failures + 1
            text = f"worker process {slot} (pid {child.pid}) {_how(code)} after {child.age_seconds:.1f} s"
            await self._wait(slot, failures, text, pid=child.pid, code=code, uptime_seconds=child.age_seconds)
        return True

    async def _watch(self, child: Child) -> int | None:
        """Return the exit code of *child* once it has ended; None if it is to be stopped before."""
        ended = asyncio.create_task(child.ended())
        stopping = asyncio.create_task(self._stopping.wait())
        readiness = asyncio.create_task(self._note_readiness(child))
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return ended.result() if ended.done() else None
        finally:
            for task in (ended, stopping, readiness):
                task.cancel()
            await asyncio.wait((ended, stopping, readiness))

    async def _note_readiness(self, child: Child) -> None:
        await child.readiness()
        if child.is_ready:
            self._was_ready = True
            LOGGER.info(
                "worker process %d (pid %d) is ready",
                child.slot,
                child.pid,
                extra={"event": "ProcessReady", "slot": child.slot, "child_pid": child.pid},
            )
        if len(self._children) == self._plan.count and all(c.is_ready for c in self._children.values()):
            self.ready.set()

    async def _wait(self, slot: int, failures: int, text: str, **fields: float) -> None:
        seconds = RESTART.backoff_seconds(failures, self._chance.random())
        extra = {"event": "ProcessDied", "slot": slot, "restart_seconds": seconds}
        extra |= {f"child_{name}" if name == "pid" else name: value for name, value in fields.items()}
        LOGGER.warning("%s; starting again in %.1f s", text, seconds, extra=extra)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _end(self, child: Child) -> bool:
        code = await child.stop(self._plan.stop_seconds)
        # A signal to all processes at once may meet one that has not begun to listen to signals, nor to work.
        in_order = code == 0 or (code == -signal.SIGTERM and not child.is_ready)
        if not in_order:
            text = "worker process %d (pid %d) did not stop in order: it %s"
            extra = {"event": "ProcessKilled", "slot": child.slot, "child_pid": child.pid, "code": code}
            LOGGER.error(text, child.slot, child.pid, _how(code), extra=extra)
        return in_order


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
