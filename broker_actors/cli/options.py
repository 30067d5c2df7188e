"""Options that several commands have, so that they are called and explained alike."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

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
        "--key", metavar="KEY", help="Idempotency key: calls of this actor with the same key run once."
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
