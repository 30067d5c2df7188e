"""The command `worker`: the daemon."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import Annotated

import typer

from broker_actors.actor.spec import spec_of
from broker_actors.cli import loading, options, running
from broker_actors.cli.output import ERR, show_logs
from broker_actors.worker.worker import Worker


def worker(
    targets: Annotated[
        list[str],
        typer.Argument(metavar="MODULE[:CLASS]", help="Where the actors are, as in my.actors:Counter."),
    ],
    *,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Run actors until SIGTERM or SIGINT.

    Imports each module, looking in the current directory first, and runs the actors it
    defines or lists in __all__. When asked to stop, it finishes what runs
    (BROKER_ACTORS_DRAIN_TIMEOUT_SECONDS at most), gives the rest back to the broker and
    exits with 0; asked twice, it stops at once.

    Example: broker-actors worker my.actors
    """
    if logging.getLogger("broker_actors").level > logging.INFO:
        show_logs(logging.INFO)
    running.run(_run(targets, amqp, redis))


async def _run(targets: Sequence[str], amqp: str | None, redis: str | None) -> None:
    actors = loading.load(targets)
    stopping = asyncio.Event()
    async with running.connect(amqp, redis) as system:
        # Before the first message arrives: a worker told to stop while it starts still stops in order.
        _on_signals(stopping)
        async with Worker(system, *actors) as running_worker:
            ERR.print(f"ready: {', '.join(spec_of(cls).type for cls in actors)}")
            await running_worker.run(stopping)
            ERR.print("stopping")
    ERR.print("stopped")


def _on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopping.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            # What Python did before: whoever asks twice does not want to wait for the drain.
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
