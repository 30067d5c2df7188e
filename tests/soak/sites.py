"""Where a soak happens: its servers."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from tests.servers import RabbitServer, RedisServer
from tests.soak.cluster import cluster


@dataclass(frozen=True, slots=True)
class Site:
    """Servers that belong to one soak alone.

    Attributes:
        brokers: the nodes, one or several of one cluster.
        store: the Redis.
        amqp_url: an empty virtual host, at the first node.
        mutant: what every process of the soak is to be; empty for what it is.
        verbose: whether workers say everything they do.

    """

    brokers: tuple[RabbitServer, ...]
    store: RedisServer
    amqp_url: str
    mutant: str = ""
    verbose: bool = False

    @property
    def broker_ports(self) -> list[int]:
        """Where the nodes listen."""
        return [broker.port for broker in self.brokers]

    def repair(self) -> None:
        """Bring every server back from whatever was done to it."""
        for server in (*self.brokers, self.store):
            server.repair()


def site_of(stack: ExitStack, nodes: int) -> Site:
    """Start servers that end with *stack*."""
    brokers = stack.enter_context(cluster(nodes))
    store = stack.enter_context(RedisServer(in_memory=True))
    # Its default virtual host: making another one takes long, or for ever, while nodes have just joined.
    return Site(brokers, store, brokers[0].url)
