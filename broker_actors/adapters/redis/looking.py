"""Looking at actors without taking them: pages over the index of their ids.

Invariant: actors are listed by bucket, then by id, which nothing ever changes. So the last
id of a page is all it takes to go on, and an actor that is new in the meantime moves no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Final

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list, to_optional
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Answer, Arg
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.outboxes import read_outbox
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.suspensions import read_suspension
from broker_actors.core.address import Address, bucket_of
from broker_actors.ports.listing import Summary
from broker_actors.ports.parking import ParkingSize
from broker_actors.ports.store import Snapshot

#: Actors one script looks at: others wait for it.
AT_ONCE_MAX: Final = 100
#: That the script returns of each.
_FIELDS: Final = 6


class Looking:
    """The part of the store that only reads."""

    def __init__(self, batcher: Batcher, keys: Keys) -> None:
        self._batcher = batcher
        self._keys = keys
        self._look = Script.named("look")

    async def actors(self, actor_type: str, after: str, limit: int) -> Sequence[Summary]:
        """Return the next actors of *actor_type* after the id *after*."""
        found: list[Summary] = []
        while len(found) < limit:
            wanted = limit - len(found)
            addresses = await self._next(actor_type, after, wanted)
            found += await self._summaries(addresses)
            if len(addresses) < wanted:
                break
            # Somebody deleted actors behind our back: a short page would look like the last one.
            after = addresses[-1].id
        return found

    async def peek(self, address: Address) -> Snapshot | None:
        """Return *address* as it is; None if it was never claimed."""
        keys = self._keys
        fields, outbox, entries = await self._batcher.call_all(
            [
                ("HMGET", keys.actor(address), "epoch", "version", "state", "parked", "suspended"),
                ("HGETALL", keys.outbox(address)),
                ("LLEN", keys.parking(address)),
            ]
        )
        epoch, version, state, parked_bytes, suspended = to_list(fields, 5)
        if epoch is None:
            return None
        parked = ParkingSize(to_int(entries), to_int(parked_bytes or 0))
        known = (to_int(epoch), to_int(version), to_optional(state), read_outbox(outbox))
        return Snapshot(address, *known, parked, read_suspension(suspended))

    async def _next(self, actor_type: str, after: str, limit: int) -> list[Address]:
        """Return the addresses of the next *limit* ids; fewer only at the end."""
        indexes = self._keys.ids_from(actor_type, after)
        first = f"({after}" if after else "-"
        # The first bucket is listed from where it was left, the others are complete.
        ranges = [(index, "-" if n else first, "+") for n, index in enumerate(indexes)]
        counts = await self._batcher.call_all([("ZLEXCOUNT", *one) for one in ranges])
        commands: list[tuple[Arg, ...]] = []
        left = limit
        for one, count in zip(ranges, counts, strict=True):
            if (found := to_int(count)) and left > 0:
                commands.append(("ZRANGEBYLEX", *one, "LIMIT", 0, left))
                left -= found
        pages = await self._batcher.call_all(commands)
        ids = (to_bytes(actor_id).decode() for page in pages for actor_id in to_list(page))
        return [Address(actor_type, actor_id) for actor_id in islice(ids, limit)]

    async def _summaries(self, addresses: Sequence[Address]) -> list[Summary]:
        found: list[Summary] = []
        for _, of_bucket in groupby(addresses, key=bucket_of):
            for some in _slices(list(of_bucket)):
                keys = tuple(key for one in some for key in self._looked_at(one))
                found += _read(some, await self._batcher.run(self._look, keys))
        return found

    def _looked_at(self, one: Address) -> tuple[str, ...]:
        return (self._keys.actor(one), self._keys.outbox(one), self._keys.parking(one))


def _slices(addresses: Sequence[Address]) -> Iterator[Sequence[Address]]:
    for start in range(0, len(addresses), AT_ONCE_MAX):
        yield addresses[start : start + AT_ONCE_MAX]


def _read(addresses: Sequence[Address], answer: Answer) -> Iterator[Summary]:
    flat = to_list(answer, _FIELDS * len(addresses))
    for n, address in enumerate(addresses):
        epoch, *numbers, suspended = flat[_FIELDS * n : _FIELDS * (n + 1)]
        if epoch is not None:
            version, state_bytes, undispatched, parked = map(to_int, numbers)
            sizes = (state_bytes, undispatched, parked)
            yield Summary(address, to_int(epoch), version, *sizes, read_suspension(suspended))
