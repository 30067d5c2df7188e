"""A private RabbitMQ node."""

import functools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.servers import command, ports
from tests.servers.process import Process, ServerError
from tests.servers.server import Server
from tests.servers.settling import wait_registered
from tests.servers.vhosts import VirtualHosts

# Debian's /usr/sbin/rabbitmq-server insists on the user rabbitmq; the script behind it runs as anyone.
_SCRIPT_OF_DISTRIBUTIONS = "/usr/lib/rabbitmq/bin/rabbitmq-server"

# Two schedulers are plenty for tests. With the packaged "busy wait: none" each of the 50,000 file
# operations of a start sleeps and wakes a thread: 7 s instead of 3.5 s on two cores. Nothing
# listens beyond this machine.
_ERLANG_ARGUMENTS = "+S 2:2 +sbwt short +sbwtdio short -kernel inet_dist_use_interface {127,0,0,1}"

_AMQP_HELLO = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = b"\x01"

_CONFIGURATION = """\
listeners.tcp.default = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
disk_free_limit.absolute = 1MB
raft.wal_max_size_bytes = 64000000
"""

# The one of a deployment: how long what is delayed waits after a restart depends on it.
_ADVANCED = Path(__file__).parents[2] / "infra" / "rabbitmq" / "advanced.config"


class RabbitServer(Server):
    """A RabbitMQ node with the management API, as user guest."""

    def __init__(self, *, in_memory: bool = False) -> None:
        super().__init__(in_memory=in_memory)
        self._name_server: Process | None = None
        self._name_server_port = 0

    @property
    def url(self) -> str:
        """Its default virtual host. A test that wants an empty broker takes one from `vhosts`."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def management_port(self) -> int:
        """Where the management API listens."""
        return self.port + ports.MANAGEMENT_OFFSET

    @property
    def vhosts(self) -> VirtualHosts:
        """Its virtual hosts."""
        return VirtualHosts(self.url, f"http://127.0.0.1:{self.management_port}")

    def kill(self) -> None:
        """End it at once, as a crash would, but not within a second of a queue's declaration.

        See `tests.servers.settling` for that second. A frozen server is killed as it is.
        """
        if self.is_running and not self._is_frozen:
            wait_registered(self.folder, self.vhosts.quorum_queues())
        super().kill()

    def start(self) -> None:
        """Start it on free ports and wait until it answers.

        Raises:
            ServerError: it ended or did not answer.
        """
        if not os.environ.get(command.RABBITMQ):
            self._start_name_server()
        super().start()

    def close(self) -> None:
        """End it and remove its data."""
        super().close()
        if self._name_server is not None:
            self._name_server.kill()
            self._name_server = None

    def _start_name_server(self) -> None:
        # Erlang's name server, epmd, would otherwise become a daemon nobody ends, or be the machine's own.
        self._name_server_port = port = ports.free_port()
        program = [_find("epmd"), "-port", str(port), "-address", "127.0.0.1"]
        self._name_server = Process(program, os.environ, self.folder, self.folder / "epmd.log")
        self._name_server.wait_ready(functools.partial(ports.is_open, port))

    def _command(self) -> Sequence[str]:
        given = command.from_environment(command.RABBITMQ, self.port, self.folder)
        return given or [_find("rabbitmq-server")]

    def _environment(self) -> dict[str, str]:
        if os.environ.get(command.RABBITMQ):
            return dict(os.environ)
        folder = self.folder
        (folder / "plugins").write_text("[rabbitmq_management].\n")
        configuration = _CONFIGURATION.format(port=self.port, management_port=self.management_port)
        (folder / "rabbitmq.conf").write_text(configuration)
        # Settings of a RabbitMQ that runs on this machine, its cookie among them, must not reach ours.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))}
        return inherited | {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._name_server_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"broker_actors_{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.port + ports.DISTRIBUTION_OFFSET),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "no-rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(_ADVANCED),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG_ARGUMENTS,
        }

    def _is_ready(self) -> bool:
        # Any frame but a refusal answers the hello once the node takes clients.
        return ports.answers(self.port, _AMQP_HELLO, _METHOD_FRAME) and ports.is_open(self.management_port)


def _find(program: str) -> str:
    if program == "rabbitmq-server" and Path(_SCRIPT_OF_DISTRIBUTIONS).exists():
        return _SCRIPT_OF_DISTRIBUTIONS
    found = shutil.which(program)
    if found is None:
        message = f"{program} is not installed; run infra/install-servers"
        raise ServerError(message)
    return found
