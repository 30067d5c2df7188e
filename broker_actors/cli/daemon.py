"""One worker process: connects, runs actors, says how it is, stops in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker_actors.actor.spec import spec_of
from broker_actors.cli import loading, running
from broker_actors.cli.reporting import LOGGER, announce, show_dump
from broker_actors.cli.signals import on_dump_signal, on_stop_signals
from broker_actors.core.errors import ConfigurationError
from broker_actors.observability.daemon import LogFormat
from broker_actors.worker.collecting import collect_seldom
from broker_actors.worker.dump import blocker, dump
from broker_actors.worker.hang import HangGuard
from broker_actors.worker.health import HealthServer
from broker_actors.worker.lifeline import Lifeline
from broker_actors.worker.listening import Tcp, private_place
from broker_actors.worker.probe import WorkerProbe
from broker_actors.worker.pulse import Pulse
from broker_actors.worker.worker import Worker

#: What closing may take after the drain: methods that do not end, hooks, connections.
CLOSE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about a worker.

    Attributes:
        targets: where its actors are.
        amqp: the broker; None for the one of the settings.
        redis: the store; None for the one of the settings.
        log_format: how it logs.
        health: where its health endpoint is to be; None for nowhere.
        lifeline: the descriptor of its line to a parent; None without one.
        control: where a parent asks how it is; None without one.

    """

    targets: Sequence[str]
    amqp: str | None
    redis: str | None
    log_format: LogFormat
    health: Tcp | None = None
    lifeline: int | None = None
    control: Path | None = None


async def serve(options: Options) -> None:
    """Run a worker until it is told to stop.

    Raises:
        BrokerActorsError: it cannot start.
        Exception: a bug ended it.

    """
    actors = loading.load(options.targets)
    collect_seldom()
    system = running.connect(options.amqp, options.redis)
    lifeline = None if options.lifeline is None else Lifeline(options.lifeline)
    pulse = Pulse(system.settings.max_loop_block_seconds)
    probe = WorkerProbe(pulse)
    stopping = asyncio.Event()
    with ExitStack() as around:
        around.enter_context(_observed(pulse, probe, options))
        async with system:
            # Before the first message arrives: a worker told to stop while it starts still stops in order.
            around.enter_context(on_stop_signals(stopping.set))
            if system.settings.end_when_hung:
                around.enter_context(HangGuard(pulse, lambda held: _report_hang(probe, pulse, held, options)))
            if lifeline is not None:
                lifeline.watch(stopping.set, system.settings.drain_timeout_seconds + CLOSE_SECONDS)
            async with Worker(system, *actors) as worker:
                probe.subject = worker
                if lifeline is not None:
                    lifeline.ready()
                else:
                    announce(f"ready: {', '.join(spec_of(cls).type for cls in actors)}", options.log_format)
                await worker.run(stopping)
                probe.is_stopping = True
                if lifeline is None:
                    announce("stopping", options.log_format)
    if lifeline is None:
        announce("stopped", options.log_format)


def _report_hang(probe: WorkerProbe, pulse: Pulse, held_seconds: float, options: Options) -> None:
    who = blocker(probe.subject, pulse) or "what the dump shows"
    text = "the event loop has been held up for %.1f s by %s: this process ends, so that another can go on"
    LOGGER.critical(text, held_seconds, who, extra={"event": "Hung", "held_seconds": held_seconds})
    show_dump(dump(probe.subject, pulse), options.log_format)


@contextmanager
def _observed(pulse: Pulse, probe: WorkerProbe, options: Options) -> Generator[None]:
    """Answer about this process from outside of its loop."""
    with ExitStack() as servers:
        pulse.start()
        servers.callback(pulse.stop)
        servers.enter_context(
            on_dump_signal(
                lambda frame: show_dump(dump(probe.subject, pulse, interrupted=frame), options.log_format)
            )
        )
        if options.health is not None:
            servers.enter_context(HealthServer(probe, options.health))
        if options.control is not None:
            servers.enter_context(HealthServer(probe, options.control))
        else:
            try:
                servers.enter_context(HealthServer(probe, private_place(f"{os.getpid()}.sock")))
            except (OSError, ConfigurationError) as error:
                # It is a convenience: a worker without a folder for it works as well.
                LOGGER.debug("`broker-actors debug dump %d` will not work: %s", os.getpid(), error)
        yield
