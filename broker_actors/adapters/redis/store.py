"""The store on Redis: each decision is one script, and every script is safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list, to_optional, to_pairs
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Arg
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.looking import Looking
from broker_actors.adapters.redis.origins import RedisOrigins
from broker_actors.adapters.redis.outboxes import read_outbox
from broker_actors.adapters.redis.parkings import RedisParkings
from broker_actors.adapters.redis.reminders import RedisReminders
from broker_actors.adapters.redis.schedules import RedisSchedules
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.slots import is_elsewhere
from broker_actors.adapters.redis.suspensions import RedisSuspensions
from broker_actors.adapters.redis.turns import call_of, read_claim, read_outcome, read_reply
from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.errors import MailboxFullError
from broker_actors.core.past import Past
from broker_actors.core.reply import Reply
from broker_actors.core.scheduled import CANCELLED, Scheduled
from broker_actors.core.suspension import Suspension
from broker_actors.core.topology import Layout
from broker_actors.core.turn import Committed, Conflict, Duplicate, Fenced, Fresh
from broker_actors.ports.commit import SENDERS_MAX, Claim, Commit, OutboxKey
from broker_actors.ports.listing import Summary, check_page
from broker_actors.ports.observer import Observer
from broker_actors.ports.parking import PARKED_READ_MAX
from broker_actors.ports.schedules import check_listed
from broker_actors.ports.store import (
    CHARGES_KEPT_SECONDS,
    CHARGES_MAX,
    SPAWNED_MAX,
    Snapshot,
    too_many_spawned,
)

UNDISPATCHED_MAX: Final = 1_000
#: Actors of one bucket that `undispatched` looks at: far above the even share of its bound.
_UNDISPATCHED_OF_BUCKET_MAX: Final = 64


class RedisStore:
    """Implements `ports.store.Store`."""

    def __init__(self, settings: RedisSettings, observer: Observer) -> None:
        self._batcher = Batcher(settings, observer, "store")
        self._keys = Keys(settings.prefix)
        self._charge = Script.named("charge")
        self._looking = Looking(self._batcher, self._keys)
        self._parkings = RedisParkings(self._batcher, self._keys)
        self._claim = Script.named("claim")
        self._suspensions = RedisSuspensions(self._batcher, self._keys)
        self._commit = Script.named("commit")
        #: Whether reply channels are on the server that has the actors, as far as is known: not in a cluster.
        self._has_channels = True
        self._dispatched = Script.named("dispatched")
        self._layout = Script.named("layout")
        self._origins = RedisOrigins(self._batcher, self._keys)
        self._reminders = RedisReminders(self._batcher, self._keys)
        self._schedules = RedisSchedules(self._batcher, self._keys)
        self._spawn = Script.named("spawn")

    @classmethod
    async def connect(
        cls, url: str, observer: Observer, *, timeout_seconds: float = 10.0, prefix: str = "ba"
    ) -> RedisStore:
        """Return a store that has reached Redis once.

        Args:
            url: where Redis is; see `RedisSettings`.
            observer: told about connections and trouble.
            timeout_seconds: how long a call may wait for its answer, over all attempts.
            prefix: how all keys begin.

        Raises:
            StoreUnavailableError: no answer within the deadline, or Redis refuses us.
            ConfigurationError: the URL or the prefix cannot work.

        """
        store = cls(RedisSettings(url, timeout_seconds, prefix), observer)
        await store._batcher.reach()
        return store

    async def close(self) -> None:
        """Give up the connection. Idempotent."""
        await self._batcher.close()

    async def origin(self) -> str:
        """Return which run of which servers answers."""
        return await self._origins.origin()

    async def pasts(self, addresses: Sequence[Address]) -> Sequence[Past]:
        """Return what Redis knows of each of *addresses*."""
        return await self._origins.pasts(addresses)

    # --- types ----------------------------------------------------------------

    async def layout(self, wanted: Layout) -> Layout:
        """Record *wanted* if its type has none yet; return what is recorded."""
        # A command of its own, because the index has another slot of a cluster than the layout; and before
        # the layout, so that none is ever missing there.
        to_int(await self._batcher.call("SADD", self._keys.types(), wanted.type))
        key = self._keys.layout(wanted.type)
        answer = await self._batcher.run(self._layout, (key,), wanted.generation, wanted.partitions)
        generation, partitions = to_list(answer, 2)
        return Layout(wanted.type, to_int(generation), to_int(partitions))

    async def recorded_layout(self, actor_type: str) -> Layout | None:
        """Return the recorded layout of *actor_type*, or None."""
        answer = await self._batcher.call("HMGET", self._keys.layout(actor_type), "generation", "partitions")
        generation, partitions = to_list(answer, 2)
        if generation is None:
            return None
        return Layout(actor_type, to_int(generation), to_int(partitions))

    async def types(self) -> Sequence[str]:
        """Return every actor type that has a recorded layout, sorted."""
        members = to_list(await self._batcher.call("SMEMBERS", self._keys.types()))
        named = sorted(to_bytes(member).decode() for member in members)
        recorded = await self._batcher.call_all([("EXISTS", self._keys.layout(name)) for name in named])
        return [name for name, answer in zip(named, recorded, strict=True) if to_int(answer)]

    async def spawn(self, address: Address) -> None:
        """Record that *address* has a dedicated mailbox; its type may have 10,000."""
        key = self._keys.spawned(address.type)
        if not to_int(await self._batcher.run(self._spawn, (key,), address.id, SPAWNED_MAX)):
            raise MailboxFullError(too_many_spawned(address, SPAWNED_MAX))

    async def spawned(self, actor_type: str) -> Sequence[str]:
        """Return the ids of *actor_type* that have a dedicated mailbox, sorted."""
        # Members of equal score are in the order of their bytes, which is that of their characters.
        answer = await self._batcher.call("ZRANGE", self._keys.spawned(actor_type), 0, -1)
        return [to_bytes(actor_id).decode() for actor_id in to_list(answer)]

    # --- one actor --------------------------------------------------------------

    async def claim(self, address: Address, nonce: str) -> Claim:
        """Take the actor: every older claim is fenced from now on."""
        keys = self._keys
        touched = (keys.actor(address), keys.outbox(address), keys.ids(address), keys.senders(address))
        known = (*touched, keys.parking(address), keys.targets(address))
        answer = await self._batcher.run(self._claim, known, nonce, address.id, SENDERS_MAX)
        return read_claim(address, nonce, answer)

    async def look_up(self, address: Address, key: str, digest: bytes) -> Fresh | Duplicate | Conflict:
        """Return whether the keyed envelope has run, with its recorded reply if so."""
        answer = await self._batcher.call("HMGET", self._keys.record(address, key), "digest", "type", "reply")
        recorded, content_type, body = to_list(answer, 3)
        if recorded is None:
            return Fresh()
        if to_bytes(recorded) not in {digest, CANCELLED}:
            return Conflict()
        return Duplicate(Reply(to_bytes(body), to_bytes(content_type).decode()))

    async def accepted(self, address: Address, sender: str) -> Accepted | None:
        """Return what *address* has accepted of *sender*."""
        answer = await self._batcher.call("HGET", self._keys.senders(address), sender)
        return None if answer is None else Accepted.unpack(to_bytes(answer))

    async def answered(self, address: Address, sender: str, seq: int) -> Reply | None:
        """Return what the numbered ask was answered."""
        return read_reply(await self._batcher.call("HGET", self._keys.answers(address, sender), seq))

    async def sections(self, address: Address, turn: str) -> int:
        """Return the number of the last durable section of *turn*."""
        return int(to_optional(await self._batcher.call("HGET", self._keys.sections(address), turn)) or 0)

    async def commit(self, commit: Commit) -> Committed | Fenced:
        """Write *commit* if its claim is the newest and its version the current one."""
        if commit.caller is not None and not self._has_channels:
            commit = replace(commit, caller=None)
        keys, args = call_of(commit, self._keys)
        answer = await self._batcher.run(self._commit, keys, *args)
        if commit.caller is not None and is_elsewhere(answer):
            self._has_channels = False
            return await self.commit(commit)
        return read_outcome(answer)

    async def dispatched(self, address: Address, keys: Sequence[OutboxKey]) -> None:
        """Forget outbox items the broker has confirmed."""
        if not keys:
            return
        touched = (self._keys.outbox(address), self._keys.dirty(address))
        fields = [f"{key.version}:{key.index}" for key in keys]
        to_int(await self._batcher.run(self._dispatched, touched, address.id, *fields))

    async def outbox(self, address: Address) -> Mapping[OutboxKey, bytes]:
        """Return what is undispatched, in order."""
        return read_outbox(await self._batcher.call("HGETALL", self._keys.outbox(address)))

    # --- all actors ---------------------------------------------------------------

    async def undispatched(self, actor_type: str, *, older_than_seconds: float) -> Sequence[Address]:
        """Return actors whose outbox has held items for that long, the longest first; at most 1,000."""
        seconds, microseconds = to_list(await self._batcher.call("TIME"), 2)
        now_ms = to_int(seconds) * 1000 + to_int(microseconds) // 1000
        limits: tuple[Arg, ...] = (
            *("-inf", now_ms - int(older_than_seconds * 1000), "WITHSCORES"),
            *("LIMIT", 0, _UNDISPATCHED_OF_BUCKET_MAX),
        )
        indexes = self._keys.all_dirty(actor_type)
        answers = await self._batcher.call_all([("ZRANGEBYSCORE", index, *limits) for index in indexes])
        found = sorted((int(since_ms), actor_id) for a in answers for actor_id, since_ms in to_pairs(a))
        return [Address(actor_type, actor_id.decode()) for _, actor_id in found[:UNDISPATCHED_MAX]]

    async def charge(self, address: Address, identity: str, *, at_most: int = CHARGES_MAX) -> int:
        """Count one more run of a suspect."""
        key = self._keys.charges(address, identity)
        return to_int(await self._batcher.run(self._charge, (key,), CHARGES_KEPT_SECONDS * 1000, at_most))

    async def discharge(self, address: Address, identity: str, *, keep: int = 0) -> None:
        """Forget the charges of an envelope, but for *keep* of them."""
        key = self._keys.charges(address, identity)
        if keep:
            to_bytes(await self._batcher.call("SET", key, keep, "EX", CHARGES_KEPT_SECONDS))
        else:
            to_int(await self._batcher.call("DEL", key))

    async def actors(self, actor_type: str, *, after: str = "", limit: int = 1_000) -> Sequence[Summary]:
        """Return the next actors of *actor_type* after the id *after*, by bucket and id."""
        return await self._looking.actors(actor_type, after, check_page(limit))

    async def peek(self, address: Address) -> Snapshot | None:
        """Return *address* as it is, without claiming it."""
        return await self._looking.peek(address)

    # --- parkings -------------------------------------------------------------------

    async def parking(
        self, address: Address, *, start: int = 0, limit: int = PARKED_READ_MAX
    ) -> Sequence[bytes]:
        """Return the entries of *address* from *start* on."""
        return await self._parkings.parking(address, start, limit)

    async def parked(self, actor_type: str, *, due_before_ms: int) -> Sequence[Address]:
        """Return actors whose head was due before that, the longest due first; at most 1,000."""
        return await self._parkings.parked(actor_type, due_before_ms)

    async def parked_bytes(self, actor_type: str) -> int:
        """Return how many bytes are parked for a type."""
        return await self._parkings.parked_bytes(actor_type)

    async def make_due(self, address: Address, due_ms: int) -> None:
        """Let the head of *address* be due at *due_ms*."""
        await self._parkings.make_due(address, due_ms)

    # --- suspensions ----------------------------------------------------------------

    async def suspended(self, actor_type: str) -> Sequence[tuple[Address, Suspension]]:
        """Return suspended actors of *actor_type*, those suspended first first; at most 1,000."""
        return await self._suspensions.suspended(actor_type)

    # --- delayed tells --------------------------------------------------------------

    async def schedule(self, entry: Scheduled) -> bool:
        """List *entry*, unless it was cancelled."""
        return await self._schedules.schedule(entry)

    async def arrived(self, entry: Scheduled) -> bool:
        """List *entry* no more; return whether it is to run."""
        return await self._schedules.arrived(entry)

    async def cancel(self, entry: Scheduled) -> bool:
        """See to it that *entry* never commits; return whether that is so."""
        return await self._schedules.cancel(entry)

    async def schedules(self, actor_type: str, *, limit: int = 1_000) -> Sequence[Scheduled]:
        """Return the tells that wait, those due first first."""
        check_listed(limit)
        return await self._schedules.schedules(actor_type, limit)

    # --- reminders ------------------------------------------------------------------

    async def reminder(self, address: Address, name: str) -> bytes | None:
        """Return the reminder *name* of *address*."""
        return await self._reminders.reminder(address, name)

    async def reminders(self, address: Address) -> Mapping[str, bytes]:
        """Return the reminders of *address*, by name."""
        return await self._reminders.reminders(address)

    async def forget_reminder(self, address: Address, name: str) -> bool:
        """Forget the reminder *name* of *address*; return whether there was one."""
        return await self._reminders.forget(address, name)

    async def all_reminders(
        self, actor_type: str, *, limit: int = 1_000, due_before_ms: int | None = None
    ) -> Sequence[tuple[Address, str, bytes]]:
        """Return actors with a reminder, its name and itself, those due first first."""
        check_listed(limit)
        return await self._reminders.all_reminders(actor_type, limit, due_before_ms)
