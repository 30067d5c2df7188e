"""The command `dev`."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack, aclosing
from typing import Annotated, Final

import typer

from broker_actors.actor.spec import spec_of
from broker_actors.cli import loading, options, running
from broker_actors.cli.dev.prompt import is_typed, lines
from broker_actors.cli.dev.shell import Shell
from broker_actors.cli.output import ERR
from broker_actors.cli.signals import on_stop_signals
from broker_actors.observability.daemon import LogFormat, daemon_logs
from broker_actors.worker.worker import Worker

#: The broker and the store inside the process, whatever the environment says.
EMBEDDED: Final = "memory://"


def dev(
    targets: Annotated[
        list[str],
        typer.Argument(metavar="MODULE[:CLASS]", help="Where the actors are, as in my.actors:Counter."),
    ],
    *,
    log_format: options.LogFormatOption = LogFormat.TEXT,
) -> None:
    """Run actors on an embedded broker and store, and call them from a prompt.

    Needs no server. Everything is gone when it ends. Lines can be piped into it, too;
    `help` says which there are. An error is one line on stderr and does not end it.

    Example: echo 'ask Counter c1 increment 5' | broker-actors dev my.actors
    """
    verbose = logging.getLogger("broker_actors").level <= logging.DEBUG
    with daemon_logs(log_format, logging.DEBUG if verbose else logging.INFO):
        running.run(_run(targets))


async def _run(targets: Sequence[str]) -> None:
    actors = loading.load(targets)
    specs = [spec_of(cls) for cls in actors]
    stopping = asyncio.Event()
    with ExitStack() as around:
        async with running.prepare(EMBEDDED, None) as system, Worker(system, *actors) as worker:
            shell = Shell(system, specs)
            around.enter_context(on_stop_signals(stopping.set, instead=_interrupts(shell)))
            ERR.print(f"ready: {', '.join(spec.type for spec in specs)}; `help` says what can be typed")
            prompting = asyncio.create_task(_prompt(shell))
            prompting.add_done_callback(lambda _task: stopping.set())
            try:
                await worker.run(stopping)
            finally:
                prompting.cancel()
                await asyncio.wait([prompting])
    if not prompting.cancelled():
        prompting.result()


def _interrupts(shell: Shell) -> Callable[[signal.Signals], bool]:
    """Return what Ctrl-C does before it stops everything: for a person, end the call that is under way."""
    return lambda number: number is signal.SIGINT and is_typed() and shell.give_up()


async def _prompt(shell: Shell) -> None:
    async with aclosing(lines("> ")) as typed:
        async for line in typed:
            if not await shell.run(line):
                return
