"""Actors of which one kills the worker that runs it, in a module a worker process can be given."""

from __future__ import annotations

import asyncio
import os
import signal

from broker_actors import Ref, actor, method

LINGERS = b"lingers\n"


@actor(partitions=1)
class Crasher:
    """Counts, or takes the whole process down."""

    runs: int = 0

    @method
    def run(self) -> int:
        self.runs += 1
        return self.runs

    @method
    def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @method
    async def linger(self) -> None:
        # Read by whoever started the process.
        os.write(1, LINGERS)
        await asyncio.get_running_loop().create_future()


class CrasherRef(Crasher, Ref):
    """Typed handle."""
