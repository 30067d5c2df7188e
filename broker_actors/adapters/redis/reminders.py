"""Reminders on Redis: with their actors; writing them is part of a commit.

Invariant: a reminder is in the index of its bucket, by when it is due, exactly while its actor has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_optional, to_pairs
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Arg
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.members_of import member_of, split
from broker_actors.adapters.redis.script import Script
from broker_actors.core.address import Address
from broker_actors.ports.reminders import ReminderChange


class RedisReminders:
    """The part of the store that reads and forgets reminders."""

    def __init__(self, batcher: Batcher, keys: Keys) -> None:
        self._batcher = batcher
        self._keys = keys
        self._forget = Script.named("forget")

    async def reminder(self, address: Address, name: str) -> bytes | None:
        """Return the reminder *name* of *address*."""
        return to_optional(await self._batcher.call("HGET", self._keys.reminders(address), name))

    async def reminders(self, address: Address) -> Mapping[str, bytes]:
        """Return the reminders of *address*, by name."""
        answer = await self._batcher.call("HGETALL", self._keys.reminders(address))
        return {name.decode(): found for name, found in to_pairs(answer)}

    async def forget(self, address: Address, name: str) -> bool:
        """Forget the reminder *name* of *address*; return whether there was one."""
        touched = (self._keys.reminders(address), self._keys.reminded(address))
        answer = await self._batcher.run(self._forget, touched, name, member_of(address.id, name))
        return bool(to_int(answer))

    async def all_reminders(
        self, actor_type: str, limit: int, due_before_ms: int | None
    ) -> Sequence[tuple[Address, str, bytes]]:
        """Return actors with a reminder, its name and itself, those due first first."""
        before = "+inf" if due_before_ms is None else f"({due_before_ms}"
        indexes = self._keys.all_reminded(actor_type)
        answers = await self._batcher.call_all(
            [("ZRANGEBYSCORE", index, "-inf", before, "WITHSCORES", "LIMIT", 0, limit) for index in indexes]
        )
        found = sorted((int(due_ms), member) for answer in answers for member, due_ms in to_pairs(answer))
        names = [split(member) for _, member in found[:limit]]
        of_actors = [(Address(actor_type, actor_id), name) for actor_id, name in names]
        reminders = await self._batcher.call_all(
            [("HGET", self._keys.reminders(address), name) for address, name in of_actors]
        )
        pairs = zip(of_actors, reminders, strict=True)
        # One that was forgotten meanwhile is none.
        return [(address, name, to_bytes(one)) for (address, name), one in pairs if one is not None]


def args_of_reminders(changes: Sequence[ReminderChange], actor_id: str) -> tuple[Arg, ...]:
    """Return what the script of a commit is told of *changes*: six fields each."""
    fields: list[Arg] = []
    for change in changes:
        fields += [change.name, member_of(actor_id, change.name), change.reminder or b"", change.due_ms]
        fields += [int(change.instead_of is not None), change.instead_of or b""]
    return (len(fields), *fields)
