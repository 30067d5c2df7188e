"""Worker processes that die at the spot their environment names: `python -m tests.crash.doomed`.

Loading an interpreter takes longer than most deaths, so one is loaded and forks for each
line of its stdin. The worker runs the real adapters behind `ports`, on a clock that does
not wait between rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn, cast
from unittest.mock import patch

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.bootstrap.backend import open_backend
from broker_actors.core.member import BEAT_SECONDS
from broker_actors.observability.logs import LoggingObserver
from broker_actors.runtime import relay
from broker_actors.runtime.relay import SWEEP_SECONDS
from broker_actors.worker.worker import TICK_SECONDS
from tests.crash.actors import Back, BlockingFront, Front
from tests.crash.fuse import Fuse, mark
from tests.crash.ports import Watched, WatchedMembers, WatchedStore, WatchedTransport
from tests.integration.redis.proxy import proxy_to

#: Set where the tells of `Front` are refused at first.
REFUSES: Final = "CRASH_REFUSES"
#: The file that takes what it says.
LOG: Final = "CRASH_LOG"
#: Set where what fails holds up what comes after it.
BLOCKS: Final = "CRASH_BLOCKS"
ROUNDS: Final = frozenset({BEAT_SECONDS, TICK_SECONDS, SWEEP_SECONDS})
ROUND_SECONDS: Final = 0.05
ALARM_SECONDS: Final = 120


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
        # What is left over is sent at once, as the store of this process finds it at once.
        with patch.object(relay, "LEFTOVER_SECONDS", 0.01):
            async with ActorSystem(settings, observer=observer, backend=backend) as system:
                front = BlockingFront if BLOCKS in os.environ else Front
                async with Worker(system, front, Back) as worker:
                    mark("ready")
                    await worker.run(stop)
                fuse.reach("stop", "after")


def serve(live: Callable[[], Coroutine[None, None, None]] = main) -> None:
    """Run a worker process for each line of stdin, a map of what else belongs into its environment.

    What it does is *live*.

    Says its pid, then its exit code.
    """
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become(json.loads(line), live)
        print(pid, flush=True)  # noqa: T201 - to the test
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - to the test


def _become(environment: Mapping[str, str], live: Callable[[], Coroutine[None, None, None]]) -> NoReturn:
    """Be such a worker process, and nothing after that."""
    os.environ.update(environment)
    # However the test ends.
    signal.alarm(ALARM_SECONDS)
    try:
        with Path(os.environ[LOG]).open("ab") as log:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(log.fileno(), stream.fileno())
        asyncio.run(live())
    except BaseException:  # noqa: BLE001 - the process ends here; the test finds why in its log
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    serve()
