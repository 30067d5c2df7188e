"""A private Redis Cluster: nodes that own slots, and slots that move."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import redis

from tests.servers.polling import until
from tests.servers.redis_server import RedisServer

SLOTS: Final = 16_384
_FORMING_SECONDS: Final = 30
_MIGRATION_MS: Final = 5_000
_KEYS_AT_ONCE: Final = 100
#: Through a script, because the driver turns the answer of the command itself into something untyped.
_STATE: Final = "return redis.call('CLUSTER', 'INFO')"


class RedisNode(RedisServer):
    """A server in cluster mode."""

    def _command(self) -> Sequence[str]:
        config = f"nodes-{self.port}-{secrets.token_hex(4)}.conf"
        return [
            *super()._command(),
            *("--cluster-enabled", "yes", "--cluster-config-file", config, "--cluster-node-timeout", "2000"),
        ]

    def ask(self, *command: str | int) -> Any:  # noqa: ANN401 - whatever it answers
        """Return the answer to *command*."""
        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return client.execute_command(*command)

    @property
    def id(self) -> str:
        """What the other nodes know it by."""
        return str(self.ask("CLUSTER MYID"))

    def info(self) -> str:
        """Return what it says of its replication."""
        with redis.Redis.from_url(self.url) as client:
            return str(client.eval("return redis.call('INFO', 'replication')", 0))

    def agrees(self, nodes: int) -> bool:
        """Return whether it knows so many, and serves."""
        with redis.Redis.from_url(self.url) as client:
            state = str(client.eval(_STATE, 0))
        return "cluster_state:ok" in state and f"cluster_known_nodes:{nodes}\\r" in state


class RedisCluster:
    """Some nodes that share all slots evenly."""

    def __init__(self, nodes: int = 3) -> None:
        self.nodes = [RedisNode(in_memory=True) for _ in range(nodes)]

    @property
    def url(self) -> str:
        """One of its nodes, which is enough."""
        return self.nodes[0].url

    @property
    def all_urls(self) -> str:
        """All of its nodes in one URL."""
        return f"redis://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}"

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.__enter__()
        count = len(self.nodes)
        edges = [SLOTS * n // count for n in range(count + 1)]
        for n, node in enumerate(self.nodes):
            # A server started by a command may find what an earlier run left on this port, and its slots.
            node.ask("FLUSHALL")
            node.ask("CLUSTER RESET", "HARD")
            # Without it, nodes that meet at once quarrel about who is right.
            node.ask("CLUSTER SET-CONFIG-EPOCH", n + 1)
            node.ask("CLUSTER ADDSLOTSRANGE", edges[n], edges[n + 1] - 1)
            self.nodes[0].ask("CLUSTER MEET", "127.0.0.1", node.port)
        self._agree()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.__exit__(kind, error, trace)

    def clear(self) -> None:
        """Forget every key."""
        for node in self.nodes:
            node.ask("FLUSHALL")

    def owner(self, slot: int) -> RedisNode:
        """Return the node that has *slot*."""
        for first, last, primary, *_ in _slots(self.nodes[0]):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == primary[1])
        raise LookupError(slot)

    def move(self, slot: int, to: RedisNode) -> None:
        """Move *slot* and its keys, as resharding does, while clients go on."""
        source = self.owner(slot)
        to.ask("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER SETSLOT", slot, "MIGRATING", to.id)
        while keys := source.ask("CLUSTER GETKEYSINSLOT", slot, _KEYS_AT_ONCE):
            source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, _MIGRATION_MS, "KEYS", *keys)
        for node in (to, source, *self.nodes):
            node.ask("CLUSTER SETSLOT", slot, "NODE", to.id)

    def replicate(self, primary: RedisNode) -> RedisNode:
        """Return a new node that keeps a copy of *primary*, and has all of it so far."""
        replica = RedisNode(in_memory=True)
        self.nodes.append(replica.__enter__())
        self.nodes[0].ask("CLUSTER MEET", "127.0.0.1", replica.port)
        self._agree()
        replica.ask("CLUSTER REPLICATE", primary.id)
        until(lambda: "master_link_status:up" in str(replica.info()), "replicating", _FORMING_SECONDS)
        return replica

    def _agree(self) -> None:
        """Return when all nodes know each other, and serve."""
        for node in self.nodes:
            until(partial(node.agrees, len(self.nodes)), "forming a cluster", _FORMING_SECONDS)


def _slots(node: RedisNode) -> list[Any]:
    with redis.Redis.from_url(node.url) as client:
        return list(client.eval("return redis.call('CLUSTER', 'SLOTS')", 0))
