"""A private Redis."""

import os
import shutil
from collections.abc import Sequence

from tests.servers import command, ports
from tests.servers.process import ServerError
from tests.servers.server import Server

# Durable to the last confirmed write and never evicting, as the project asks of its store.
_SETTINGS = [
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
]


class RedisServer(Server):
    """A Redis that keeps every write it confirmed."""

    @property
    def url(self) -> str:
        """Its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        given = command.from_environment(command.REDIS, self.port, self.folder)
        if given is not None:
            return given
        program = shutil.which("redis-server")
        if program is None:
            message = "redis-server is not installed; run infra/install-servers"
            raise ServerError(message)
        return [
            program,
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            str(self.folder),
            *_SETTINGS,
        ]

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def _is_ready(self) -> bool:
        return ports.answers(self.port, b"PING\r\n", b"+PONG")
