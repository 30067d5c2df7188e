"""Several RabbitMQ nodes that are one broker, on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, TypeAdapter

from tests.servers import RabbitServer, Server, ServerError, command
from tests.servers.polling import until

_MEMBERS: Final = "data/*/cluster_nodes.config"
_JOIN_SECONDS: Final = 30.0
_COOKIE: Final = "one-for-all-nodes"


class ClusterNode(RabbitServer):
    """A node that joins the first one when it starts for the first time.

    Args:
        first: the node to join; None for the first one.

    """

    def __init__(self, first: ClusterNode | None) -> None:
        super().__init__(in_memory=True)
        self._first = first
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(_COOKIE)
        cookie.chmod(0o400)

    @property
    def node_name(self) -> str:
        """How the other nodes call it."""
        return f"broker_actors_{self.port}@localhost"

    def knows(self, nodes: Sequence[ClusterNode]) -> bool:
        """Return whether it has written down that *nodes* are of its cluster."""
        written = "".join(path.read_text() for path in self.folder.glob(_MEMBERS))
        return all(node.node_name in written for node in nodes)

    def start(self) -> None:
        """Start it on free ports and wait until it answers; the first node's name server knows them all."""
        if self._first is None:
            super().start()
            return
        self._name_server_port = self._first._name_server_port
        Server.start(self)

    def _environment(self) -> dict[str, str]:
        environment = super()._environment()
        names = [self.node_name] if self._first is None else [self._first.node_name, self.node_name]
        with (self.folder / "rabbitmq.conf").open("a") as configuration:
            configuration.write("cluster_formation.peer_discovery_backend = classic_config\n")
            for number, name in enumerate(names, 1):
                configuration.write(f"cluster_formation.classic_config.nodes.{number} = {name}\n")
        return environment


@contextmanager
def cluster(size: int) -> Iterator[tuple[RabbitServer, ...]]:
    """Run a broker of *size* nodes.

    Raises:
        ServerError: they did not start, or another generation is to run, of which only single
            nodes can be started.
        TimeoutError: they did not find each other.

    """
    if size == 1:
        with RabbitServer(in_memory=True) as alone:
            yield (alone,)
        return
    if os.environ.get(command.RABBITMQ):
        raise ServerError(f"{command.RABBITMQ} starts single nodes: use --nodes 1, or unset it")
    with ExitStack() as stack:
        first = stack.enter_context(ClusterNode(None))
        others = [stack.enter_context(ClusterNode(first)) for _ in range(size - 1)]
        nodes = (first, *others)
        # Not asked for: the management API may take half a minute to answer while nodes join.
        until(lambda: first.knows(nodes), "joining the cluster", _JOIN_SECONDS)
        yield nodes


class _Queue(BaseModel):
    name: str
    leader: str = ""


_QUEUES: Final = TypeAdapter(list[_Queue])


def leader_of(nodes: Sequence[RabbitServer], amqp_url: str, which: int) -> RabbitServer | None:
    """Return the node that leads one of the queues, by the number *which*; None if nobody knows one."""
    leaders = list(_leaders(nodes, amqp_url).values())
    return _node_of(nodes, leaders[which % len(leaders)]) if leaders else None


def leader_of_queue(nodes: Sequence[RabbitServer], amqp_url: str, queue: str) -> RabbitServer | None:
    """Return the node that leads *queue*; None if nobody knows it."""
    leader = _leaders(nodes, amqp_url).get(queue)
    return None if leader is None else _node_of(nodes, leader)


def _leaders(nodes: Sequence[RabbitServer], amqp_url: str) -> dict[str, str]:
    """Return which node leads which queue, as far as the broker's statistics know."""
    vhost = quote(urlsplit(amqp_url).path.removeprefix("/"), safe="")
    running = [node for node in nodes if node.is_running]
    if not running:
        return {}
    found = running[0].vhosts._request("GET", f"/api/queues/{vhost}")
    return {queue.name: queue.leader for queue in _QUEUES.validate_json(found) if queue.leader}


def _node_of(nodes: Sequence[RabbitServer], name: str) -> RabbitServer | None:
    return next((node for node in nodes if f"_{node.port}@" in name), None)
