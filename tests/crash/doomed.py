"""A worker process that dies at the spot its environment names: `python -m tests.crash.doomed`.

It loads everything, then reads from stdin a JSON map of what else belongs into its
environment. It runs the real adapters behind `ports`, on a clock that does not wait between rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.bootstrap.backend import open_backend
from broker_actors.core.member import BEAT_SECONDS
from broker_actors.observability.logs import LoggingObserver
from broker_actors.runtime.relay import SWEEP_SECONDS
from broker_actors.worker.worker import TICK_SECONDS
from tests.crash.actors import Back, Front
from tests.crash.fuse import Fuse, mark
from tests.crash.ports import Watched, WatchedMembers, WatchedStore, WatchedTransport
from tests.integration.redis.proxy import proxy_to

#: Set where the tells of `Front` are refused at first.
REFUSES: Final = "CRASH_REFUSES"
#: The file that takes what it says.
LOG: Final = "CRASH_LOG"
ROUNDS: Final = frozenset({BEAT_SECONDS, TICK_SECONDS, SWEEP_SECONDS})
ROUND_SECONDS: Final = 0.05


class HastyClock(SystemClock):
    """Rounds come at once, and chance is never kind."""

    async def sleep(self, seconds: float) -> None:
        """Return sooner if this is the pause between two rounds of something."""
        await super().sleep(ROUND_SECONDS if seconds in ROUNDS else seconds)

    def chance(self) -> float:
        """Return the longest of all waits."""
        return 0.99


async def main() -> None:
    """Run both actors until the spot is reached, or in vain."""
    fuse, settings, observer = Fuse(), Settings(), LoggingObserver()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with proxy_to(settings.redis_url) as (proxy, redis_url):
        real = await open_backend(settings.model_copy(update={"redis_url": redis_url}), observer)
        direct = await RedisStore.connect(settings.redis_url, observer, timeout_seconds=10)
        # Each stands in for the port it watches, which no type checker can see.
        watched: dict[str, Any] = {
            "transport": WatchedTransport(real.transport, fuse, refuses=REFUSES in os.environ),
            "store": WatchedStore(cast("RedisStore", real.store), fuse, proxy, direct),
            "replies": Watched("replies", real.replies, fuse),
            "members": WatchedMembers(real.members, fuse),
            "clock": HastyClock(),
        }
        backend = replace(real, **watched)
        async with ActorSystem(settings, observer=observer, backend=backend) as system:
            async with Worker(system, Front, Back) as worker:
                mark("ready")
                await worker.run(stop)
            fuse.reach("stop", "after")


if __name__ == "__main__":
    os.environ.update(json.loads(sys.stdin.readline()))
    with Path(os.environ[LOG]).open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    asyncio.run(main())
