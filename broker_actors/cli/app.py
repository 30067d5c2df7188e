"""The commands of `broker-actors`, and what they share."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from broker_actors.cli import (
    actors,
    calls,
    dead,
    debug,
    doctor,
    flows,
    mailboxes,
    schedules,
    suspending,
    worker,
)
from broker_actors.cli.demo.command import demo
from broker_actors.cli.dev.command import dev
from broker_actors.cli.output import OUT, show_logs

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done; 1 the actor answered with an error; 2 anything else is at fault.",
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of a callback
    if not wanted:
        return
    try:
        OUT.print(version("broker-actors"))
    except PackageNotFoundError:
        OUT.print("not installed: running from its sources")
    raise typer.Exit


@app.callback()
def options(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to stderr.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Durable virtual actors on RabbitMQ and Redis.

    Servers are named by BROKER_ACTORS_URL and BROKER_ACTORS_REDIS_URL, or by --amqp and --redis.
    To see what it does, with no server at all: broker-actors demo
    """
    show_logs(logging.DEBUG if verbose else logging.CRITICAL)


app.command()(demo)
app.command()(dev)
app.command()(worker.worker)
app.command()(calls.ask)
app.command()(calls.tell)
app.command()(calls.stream)
app.command()(mailboxes.mailboxes)
app.command()(doctor.doctor)
actors.app.command()(suspending.suspended)
actors.app.command()(suspending.suspend)
actors.app.command()(suspending.resume)
app.add_typer(actors.app)
app.add_typer(flows.app)
app.add_typer(dead.app)
app.add_typer(schedules.app)
app.add_typer(debug.app)
