"""Private servers that run on the files of a deployment.

Invariant: of what the files say, only addresses and paths are replaced.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.infra import files
from tests.servers import RabbitServer, RedisServer, ServerError, ports

_ADMINISTRATOR = "admin:change-me"
_PASSWORD = "change-me"  # noqa: S105 - the one in the files, which their page says to change


class DeployedRabbit(RabbitServer):
    """A RabbitMQ as `infra/rabbitmq` configures it."""

    @property
    def url(self) -> str:
        """Its virtual host, for the administrator."""
        return f"amqp://{_ADMINISTRATOR}@127.0.0.1:{self.port}/"

    def _environment(self) -> dict[str, str]:
        environment = super()._environment()
        # What else the private server is told: ports and addresses. Not how much of the machine it may have.
        ours = [
            line
            for line in Path(environment["RABBITMQ_CONFIG_FILE"]).read_text().splitlines()
            if line.startswith(("listeners.", "management."))
        ]
        more = self.folder / "conf.d"
        more.mkdir(exist_ok=True)
        lines = [*ours, f"load_definitions = {files.DEFINITIONS}"]
        (more / "90-private.conf").write_text("\n".join([*lines, ""]))
        return environment | {
            "RABBITMQ_CONFIG_FILE": str(files.RABBITMQ),
            "RABBITMQ_CONFIG_FILES": str(more),
        }


class DeployedRedis(RedisServer):
    """A Redis as `infra/redis` configures it."""

    @property
    def url(self) -> str:
        """Its first database."""
        return f"redis://:{_PASSWORD}@127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        program = shutil.which("redis-server")
        if program is None:
            message = "redis-server is not installed; run infra/install-servers"
            raise ServerError(message)
        private = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return [program, str(files.REDIS), *private]

    def _is_ready(self) -> bool:
        return ports.answers(self.port, b"PING\r\n", b"-NOAUTH")
