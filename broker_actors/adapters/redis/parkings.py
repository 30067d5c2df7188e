"""Reading parkings; writing them is part of a commit.

Invariant: an actor is in the index of its bucket exactly while its parking holds something.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list, to_pairs
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Arg
from broker_actors.adapters.redis.keys import Keys
from broker_actors.core.address import Address
from broker_actors.ports.parking import PARKED_LISTED_MAX

#: Actors of one bucket that `parked` looks at: far above the even share of its bound.
_OF_BUCKET_MAX: Final = 64


class RedisParkings:
    """The part of the store that reads parkings."""

    def __init__(self, batcher: Batcher, keys: Keys) -> None:
        self._batcher = batcher
        self._keys = keys

    async def parking(self, address: Address, start: int, limit: int) -> Sequence[bytes]:
        """Return at most *limit* entries of *address* from *start* on."""
        last = start + limit - 1
        answer = await self._batcher.call("LRANGE", self._keys.parking(address), start, last)
        return [to_bytes(entry) for entry in to_list(answer)]

    async def parked(self, actor_type: str, due_before_ms: int) -> Sequence[Address]:
        """Return actors whose head was due before that, the longest due first."""
        limits: tuple[Arg, ...] = ("-inf", f"({due_before_ms}", "WITHSCORES", "LIMIT", 0, _OF_BUCKET_MAX)
        indexes = self._keys.all_parked(actor_type)
        answers = await self._batcher.call_all([("ZRANGEBYSCORE", index, *limits) for index in indexes])
        found = sorted((int(due_ms), actor_id) for a in answers for actor_id, due_ms in to_pairs(a))
        return [Address(actor_type, actor_id.decode()) for _, actor_id in found[:PARKED_LISTED_MAX]]

    async def parked_bytes(self, actor_type: str) -> int:
        """Return how many bytes are parked for a type."""
        totals = self._keys.all_parked_bytes(actor_type)
        answers = await self._batcher.call_all([("GET", total) for total in totals])
        return sum(to_int(answer) for answer in answers if answer is not None)

    async def make_due(self, address: Address, due_ms: int) -> None:
        """Let the head of *address* be due at *due_ms*."""
        to_int(await self._batcher.call("ZADD", self._keys.parked(address), "XX", due_ms, address.id))
