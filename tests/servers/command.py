"""Commands that start other generations of the servers.

`BROKER_ACTORS_TEST_RABBITMQ_COMMAND` and `BROKER_ACTORS_TEST_REDIS_COMMAND` hold one each: a
program that runs a server in the foreground on 127.0.0.1 until it gets a signal, and finds its data
again when started on the same port. It may contain `{port}`, `{management_port}` (RabbitMQ's
management API, always port + 10000) and `{folder}` (empty at first, removed at the end).
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from tests.servers.ports import MANAGEMENT_OFFSET
from tests.servers.process import ServerError

RABBITMQ = "BROKER_ACTORS_TEST_RABBITMQ_COMMAND"
REDIS = "BROKER_ACTORS_TEST_REDIS_COMMAND"


def from_environment(variable: str, port: int, folder: Path) -> Sequence[str] | None:
    """Return the command of *variable* for a server on *port*, None if it is not set.

    Raises:
        ServerError: the command names no port, or something unknown.
    """
    template = os.environ.get(variable, "")
    if not template:
        return None
    if "{port}" not in template:
        message = f"{variable} must contain {{port}}: {template}"
        raise ServerError(message)
    names = {"port": port, "management_port": port + MANAGEMENT_OFFSET, "folder": folder}
    try:
        return [part.format_map(names) for part in shlex.split(template)]
    except (KeyError, ValueError) as error:
        message = f"{variable} knows only {', '.join(names)}: {template}"
        raise ServerError(message) from error
