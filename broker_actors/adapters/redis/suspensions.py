"""Reading suspensions; writing them is part of a commit.

Invariant: an actor is in the index of its bucket exactly while its hash says that it is suspended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from broker_actors.adapters.redis.answers import to_bytes, to_pairs
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Answer, Arg
from broker_actors.adapters.redis.keys import Keys
from broker_actors.core.address import Address
from broker_actors.core.suspension import Suspension, unpack
from broker_actors.ports.suspensions import SUSPENDED_LISTED_MAX

#: Actors of one bucket that are listed: far above the even share of their bound.
_OF_BUCKET_MAX: Final = 64


class RedisSuspensions:
    """The part of the store that reads suspensions."""

    def __init__(self, batcher: Batcher, keys: Keys) -> None:
        self._batcher = batcher
        self._keys = keys

    async def suspended(self, actor_type: str) -> Sequence[tuple[Address, Suspension]]:
        """Return suspended actors, those suspended first first; at most 1,000."""
        limits: tuple[Arg, ...] = ("-inf", "+inf", "WITHSCORES", "LIMIT", 0, _OF_BUCKET_MAX)
        indexes = self._keys.all_suspended(actor_type)
        answers = await self._batcher.call_all([("ZRANGEBYSCORE", index, *limits) for index in indexes])
        found = sorted((int(since_ms), actor_id) for a in answers for actor_id, since_ms in to_pairs(a))
        addresses = [Address(actor_type, actor_id.decode()) for _, actor_id in found[:SUSPENDED_LISTED_MAX]]
        reasons = await self._batcher.call_all(
            [("HGET", self._keys.actor(a), "suspended") for a in addresses]
        )
        listed = zip(addresses, reasons, strict=True)
        # One that was resumed meanwhile has none.
        return [(address, unpack(to_bytes(why))) for address, why in listed if why is not None]


def read_suspension(answer: Answer) -> Suspension | None:
    """Return the suspension in *answer*; None if there is none."""
    return None if answer is None else unpack(to_bytes(answer))
