"""Which run of which servers answers, as Redis says it of itself.

A server that starts has a new run id, and one that is promoted a new replication id. What a
server knows that only follows another is not what the next commit will find: it is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Answer
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.resumptions import read_resumptions
from broker_actors.core.address import Address
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.past import Past

_QUESTIONS: Final = (("INFO", "server"), ("INFO", "replication"))


class RedisOrigins:
    """The part of the store that tells one run of it from another."""

    def __init__(self, batcher: Batcher, keys: Keys) -> None:
        self._batcher = batcher
        self._keys = keys

    async def origin(self) -> str:
        """Return run id and replication id of the server, or of every primary of a cluster."""
        infos = await self._infos()
        if not self._batcher.is_cluster and any(one.get("redis_mode") == "cluster" for one in infos):
            await self._batcher.learn()
            infos = await self._infos()
        if any(one.get("role") == "slave" for one in infos):
            if self._batcher.is_cluster:
                await self._batcher.learn()
            raise StoreUnavailableError("Redis: a replica answers, which does not tell what was committed")
        ids = sorted(f"{one.get('run_id', '')}:{one.get('master_replid', '')}" for one in infos)
        return " ".join(ids)

    async def pasts(self, addresses: Sequence[Address]) -> Sequence[Past]:
        """Return what Redis knows of each of *addresses*."""
        keys = [self._keys.actor(address) for address in addresses]
        answers = await self._batcher.call_all([("HMGET", key, "epoch", "version", "runs") for key in keys])
        return [_past(*to_list(answer, 3)) for answer in answers]

    async def _infos(self) -> Sequence[Mapping[str, str]]:
        answers = await self._batcher.call_everywhere(_QUESTIONS)
        return [dict(_fields(some)) for some in answers]


def _past(epoch: Answer, version: Answer, resumptions: Answer) -> Past:
    return Past(to_int(epoch or 0), to_int(version or 0), read_resumptions(resumptions))


def _fields(answers: Sequence[Answer]) -> Iterator[tuple[str, str]]:
    for answer in answers:
        for line in to_bytes(answer).decode(errors="replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                yield name, value
