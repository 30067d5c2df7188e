"""Reading an outbox as Redis holds it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from broker_actors.adapters.redis.answers import to_pairs
from broker_actors.adapters.redis.connection import Answer
from broker_actors.ports.commit import OutboxKey


def read_outbox(answer: Answer) -> Mapping[OutboxKey, bytes]:
    """Return the items of an outbox hash, in order."""
    items: dict[OutboxKey, bytes] = {}
    for name, item in to_pairs(answer):
        version, _, index = name.partition(b":")
        items[OutboxKey(int(version), int(index))] = item
    return MappingProxyType(dict(sorted(items.items(), key=lambda pair: (pair[0].version, pair[0].index))))
