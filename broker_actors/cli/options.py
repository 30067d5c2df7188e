"""Options that several commands have, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from broker_actors.observability.daemon import LogFormat

#: A parent has the endpoint; its children must not see the variable.
HEALTH_VARIABLE: Final = "BROKER_ACTORS_HEALTH"


def _given(key: str | None) -> str | None:
    """Refuse an empty key, as of a variable that is not set: the call would run each time it is sent."""
    if key == "":
        raise typer.BadParameter("it is empty: leave it out if the call may run more than once")
    return key


Amqp: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--amqp",
        metavar="URL",
        envvar="BROKER_ACTORS_URL",
        help="The broker, as amqp://user:password@host/vhost.",
    ),
]
Redis: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--redis", metavar="URL", envvar="BROKER_ACTORS_REDIS_URL", help="The store, as redis://host:6379/0."
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        callback=_given,
        help="Idempotency key: calls of this actor with the same key run once.",
    ),
]
ActorType: TypeAlias = Annotated[str, typer.Argument(metavar="TYPE", help="The actor type, as in `Counter`.")]
ActorId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="Which actor of the type.")]
MethodName: TypeAlias = Annotated[str, typer.Argument(metavar="METHOD", help="The method to call.")]
Arguments: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ARG|NAME=ARG",
        help="JSON, or text if it is not: 5, true, '[1, 2]', hello, sku=tea. Put -- before a negative one.",
    ),
]
LogFormatOption: TypeAlias = Annotated[
    LogFormat, typer.Option("--log-format", help="Lines for people, or one JSON object per line.")
]
Health: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--health",
        metavar="HOST:PORT",
        envvar=HEALTH_VARIABLE,
        help="Answer GET /alive, /ready and /dump here. To everybody who can connect: mind the host.",
    ),
]
Lifeline: TypeAlias = Annotated[int | None, typer.Option("--lifeline", hidden=True)]
Control: TypeAlias = Annotated[Path | None, typer.Option("--control", hidden=True)]
