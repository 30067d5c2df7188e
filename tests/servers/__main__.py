"""Starts a private pair and keeps it until Ctrl-C: `python -m tests.servers`.

The lines it prints point the test suite, or an actor system, at the pair.
"""

import contextlib
import signal
from types import FrameType

from tests.servers.rabbit import RabbitServer
from tests.servers.redis_server import RedisServer


def main() -> None:
    """Start both servers and wait for a signal."""
    with RabbitServer() as rabbit, RedisServer() as redis:
        print(f"export BROKER_ACTORS_URL={rabbit.url} BROKER_ACTORS_REDIS_URL={redis.url}")
        print(f"export BROKER_ACTORS_TEST_AMQP={rabbit.url} BROKER_ACTORS_TEST_REDIS={redis.url}")
        print(f"export BROKER_ACTORS_TEST_MANAGEMENT=http://127.0.0.1:{rabbit.management_port}", flush=True)
        signal.pause()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        main()
