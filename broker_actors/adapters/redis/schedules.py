"""Delayed tells on Redis: an index per bucket, and records of those that were cancelled.

Invariant: index, methods and record of a tell are in the bucket of its actor.
"""

from __future__ import annotations

from collections.abc import Sequence

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_optional, to_pairs
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.members_of import member_of, split
from broker_actors.adapters.redis.script import Script
from broker_actors.core.address import Address
from broker_actors.core.scheduled import CANCELLED, CANCELLED_KEPT_SECONDS, CANCELLED_REPLY, Scheduled


class RedisSchedules:
    """The part of the store that knows delayed tells."""

    def __init__(self, batcher: Batcher, keys: Keys) -> None:
        self._batcher = batcher
        self._keys = keys
        self._schedule = Script.named("schedule")
        self._cancel = Script.named("cancel")

    async def schedule(self, entry: Scheduled) -> bool:
        """List *entry*, unless it was cancelled."""
        told = (_member(entry), entry.due_ms, entry.method, CANCELLED)
        return bool(to_int(await self._batcher.run(self._schedule, self._touched(entry), *told)))

    async def arrived(self, entry: Scheduled) -> bool:
        """List *entry* no more; return whether it is to run."""
        record, index, methods = self._touched(entry)
        member = _member(entry)
        digest, removed, forgotten = await self._batcher.call_all(
            [("HGET", record, "digest"), ("ZREM", index, member), ("HDEL", methods, member)]
        )
        to_int(removed)
        to_int(forgotten)
        return to_optional(digest) != CANCELLED

    async def cancel(self, entry: Scheduled) -> bool:
        """See to it that *entry* never commits; return whether that is so."""
        answer = await self._batcher.run(
            self._cancel,
            self._touched(entry),
            *(_member(entry), CANCELLED, CANCELLED_REPLY.content_type, CANCELLED_REPLY.body),
            *(entry.due_ms, CANCELLED_KEPT_SECONDS * 1000),
        )
        return bool(to_int(answer))

    async def schedules(self, actor_type: str, limit: int) -> Sequence[Scheduled]:
        """Return the tells that wait, those due first first."""
        indexes = self._keys.all_scheduled(actor_type)
        # Of each bucket the first ones: all of the first ones may be in one.
        ranges = [("ZRANGE", index, 0, limit - 1, "WITHSCORES") for index, _ in indexes]
        answers = await self._batcher.call_all(ranges)
        found = sorted(
            (int(due_ms), member, methods)
            for (_, methods), answer in zip(indexes, answers, strict=True)
            for member, due_ms in to_pairs(answer)
        )[:limit]
        names = await self._batcher.call_all([("HGET", methods, member) for _, member, methods in found])
        return [
            _entry(actor_type, member, b"" if name is None else to_bytes(name), due_ms)
            for (due_ms, member, _), name in zip(found, names, strict=True)
        ]

    def _touched(self, entry: Scheduled) -> tuple[str, str, str]:
        return (self._keys.record(entry.address, entry.key), *self._keys.scheduled(entry.address))


def _member(entry: Scheduled) -> str:
    return member_of(entry.address.id, entry.key)


def _entry(actor_type: str, member: bytes, method: bytes, due_ms: int) -> Scheduled:
    actor_id, key = split(member)
    return Scheduled(Address(actor_type, actor_id), key, method.decode(), due_ms)
