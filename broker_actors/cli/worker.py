"""The command `worker`: the daemon."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Annotated, Any, Final

import typer

from broker_actors.cli import options, running
from broker_actors.cli.daemon import Options, serve
from broker_actors.cli.output import stop
from broker_actors.cli.reporting import reported
from broker_actors.cli.supervising import supervise
from broker_actors.core.errors import ConfigurationError
from broker_actors.observability.daemon import LogFormat, daemon_logs
from broker_actors.worker.listening import Tcp, tcp

#: More processes than that on one machine are a typing error.
PROCESSES_MAX: Final = 256


def worker(  # noqa: PLR0913 - each parameter is an argument or option of the command
    targets: Annotated[
        list[str],
        typer.Argument(metavar="MODULE[:CLASS]", help="Where the actors are, as in my.actors:Counter."),
    ],
    *,
    processes: Annotated[
        int, typer.Option(min=1, max=PROCESSES_MAX, help="Run so many, each with all the actors.")
    ] = 1,
    watch: Annotated[
        bool, typer.Option("--watch", help="Start anew when a Python file changes; for development.")
    ] = False,
    health: options.Health = None,
    log_format: options.LogFormatOption = LogFormat.TEXT,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
    lifeline: options.Lifeline = None,
    control: options.Control = None,
) -> None:
    """Run actors until SIGTERM or SIGINT.

    Imports each module, looking in the current directory first, and runs the actors it
    defines or lists in __all__. When asked to stop, it finishes what runs
    (BROKER_ACTORS_DRAIN_TIMEOUT_SECONDS at most), gives the rest back to the broker and
    exits with 0; asked twice, it stops at once. SIGUSR1 has it write to stderr what it
    does, with stacks; `broker-actors debug dump` asks for the same.

    With several processes, a parent starts those anew that die.

    Example: broker-actors worker my.actors --processes 4 --health 127.0.0.1:8080
    """
    verbose = logging.getLogger("broker_actors").level <= logging.DEBUG
    with daemon_logs(log_format, logging.DEBUG if verbose else logging.INFO):
        wanted = Options(targets, amqp, redis, log_format, _place(health), lifeline, control)
        running.run(reported(_chosen(wanted, processes, watch=watch), log_format))


def _place(health: str | None) -> Tcp | None:
    try:
        return tcp(health) if health else None
    except ConfigurationError as error:
        raise stop(running.in_one_line(error)) from None


def _chosen(wanted: Options, processes: int, *, watch: bool) -> Coroutine[Any, Any, None]:
    if watch:
        try:
            from broker_actors.cli.reloading import reload  # noqa: PLC0415 - who does not watch needs no watchfiles
        except ModuleNotFoundError as error:
            if error.name != "watchfiles":
                raise
            raise stop("--watch needs watchfiles: pip install 'broker-actors[cli]'") from None
        return reload(wanted, processes)
    return supervise(wanted, processes) if processes > 1 else serve(wanted)
