"""The store inside the process: the same guarantees as the scripts on Redis, without the wire."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Final

from broker_actors.adapters.memory.actors import MemoryActor
from broker_actors.adapters.memory.charges import Charges
from broker_actors.adapters.memory.replies import MemoryChannels
from broker_actors.adapters.memory.schedules import MemorySchedules
from broker_actors.core.address import Address, bucket_number
from broker_actors.core.dedup import Accepted
from broker_actors.core.errors import MailboxFullError
from broker_actors.core.past import Past
from broker_actors.core.reply import Reply
from broker_actors.core.scheduled import CANCELLED, Scheduled
from broker_actors.core.suspension import Suspension
from broker_actors.core.topology import Layout
from broker_actors.core.turn import Committed, Conflict, Duplicate, Fenced, Fresh
from broker_actors.ports.clock import Clock
from broker_actors.ports.commit import SENDERS_MAX, Claim, Commit, KeyedRecord, OutboxKey
from broker_actors.ports.listing import Summary, check_page
from broker_actors.ports.parking import PARKED_LISTED_MAX, PARKED_READ_MAX
from broker_actors.ports.schedules import check_listed
from broker_actors.ports.store import CHARGES_MAX, SPAWNED_MAX, Snapshot, too_many_spawned
from broker_actors.ports.suspensions import SUSPENDED_LISTED_MAX

UNDISPATCHED_MAX: Final = 1_000


class MemoryStore:
    """Implements `ports.store.Store`; shared by everything that should see the same actors.

    Every call suspends before and after its effect, so that whatever may happen in between
    on a real store may happen here, too.
    """

    def __init__(self, clock: Clock, channels: MemoryChannels | None = None) -> None:
        self._clock = clock
        #: The reply channels it has, too; None for none, as in a cluster.
        self._channels = channels
        self._actors: defaultdict[Address, MemoryActor] = defaultdict(MemoryActor)
        self._layouts: dict[str, Layout] = {}
        self._spawned: defaultdict[str, set[str]] = defaultdict(set)
        #: How many runs of a suspect began, and until when that is remembered.
        self._charges = Charges(clock)
        self._schedules = MemorySchedules()
        #: Which run of the store this is.
        self._origin = clock.token()

    async def origin(self) -> str:
        """Return which run of the store this is."""
        await self._step()
        origin = self._origin
        await self._step()
        return origin

    async def pasts(self, addresses: Sequence[Address]) -> Sequence[Past]:
        """Return what is known of each of *addresses*."""
        await self._step()
        found = [self._actors[one].past if one in self._actors else Past() for one in addresses]
        await self._step()
        return found

    async def layout(self, wanted: Layout) -> Layout:
        """Record *wanted* if its type has none yet; return what is recorded."""
        await self._step()
        recorded = self._layouts.setdefault(wanted.type, wanted)
        await self._step()
        return recorded

    async def recorded_layout(self, actor_type: str) -> Layout | None:
        """Return the recorded layout of *actor_type*, or None."""
        await self._step()
        recorded = self._layouts.get(actor_type)
        await self._step()
        return recorded

    async def types(self) -> Sequence[str]:
        """Return every actor type that has a recorded layout, sorted."""
        await self._step()
        types = sorted(self._layouts)
        await self._step()
        return types

    async def spawn(self, address: Address) -> None:
        """Record that *address* has a dedicated mailbox; its type may have 10,000."""
        await self._step()
        ids = self._spawned[address.type]
        if address.id not in ids and len(ids) >= SPAWNED_MAX:
            raise MailboxFullError(too_many_spawned(address, SPAWNED_MAX))
        ids.add(address.id)
        await self._step()

    async def spawned(self, actor_type: str) -> Sequence[str]:
        """Return the ids of *actor_type* that have a dedicated mailbox, sorted."""
        await self._step()
        ids = sorted(self._spawned.get(actor_type, ()))
        await self._step()
        return ids

    async def claim(self, address: Address, nonce: str) -> Claim:
        """Take the actor: every older claim is fenced from now on."""
        await self._step()
        actor = self._actors[address]
        actor.claim(nonce, self._clock.now_ms(), self._origin)
        senders = dict(islice(actor.senders.items(), SENDERS_MAX))
        claim = Claim(
            *(address, actor.epoch, nonce, actor.version, actor.state, actor.undispatched()),
            senders=MappingProxyType(senders),
            has_all_senders=len(senders) == len(actor.senders),
            forgotten_ms=actor.forgotten_ms,
            parked=actor.parking.size,
            suspension=actor.suspension,
            resumptions=actor.resumptions,
        )
        await self._step()
        return claim

    async def look_up(self, address: Address, key: str, digest: bytes) -> Fresh | Duplicate | Conflict:
        """Return whether the keyed envelope has run, with its recorded reply if so."""
        await self._step()
        found = self._found(address, key, digest)
        await self._step()
        return found

    async def accepted(self, address: Address, sender: str) -> Accepted | None:
        """Return what *address* has accepted of *sender*."""
        await self._step()
        found = self._actors[address].senders.get(sender)
        await self._step()
        return found

    async def answered(self, address: Address, sender: str, seq: int) -> Reply | None:
        """Return what the numbered ask was answered."""
        await self._step()
        found = self._actors[address].answers.get(sender, {}).get(seq)
        await self._step()
        return found

    async def sections(self, address: Address, turn: str) -> int:
        """Return the number of the last durable section of *turn*."""
        await self._step()
        found = self._actors[address].sections.number(turn, self._clock.now_ms())
        await self._step()
        return found

    async def commit(self, commit: Commit) -> Committed | Fenced:
        """Write *commit* if its claim is the newest and its version the current one."""
        await self._step()
        outcome = self._committed(self._actors[commit.claim.address], commit)
        await self._step()
        return outcome

    async def dispatched(self, address: Address, keys: Sequence[OutboxKey]) -> None:
        """Forget outbox items the broker has confirmed."""
        await self._step()
        outbox = self._actors[address].outbox
        for key in keys:
            outbox.pop(key, None)
        await self._step()

    async def outbox(self, address: Address) -> Mapping[OutboxKey, bytes]:
        """Return what is undispatched, in order."""
        await self._step()
        items = self._actors[address].undispatched()
        await self._step()
        return items

    async def undispatched(self, actor_type: str, *, older_than_seconds: float) -> Sequence[Address]:
        """Return actors whose outbox has held items for that long, the longest first; at most 1,000."""
        await self._step()
        latest_ms = self._clock.now_ms() - int(older_than_seconds * 1000)
        found = sorted(
            (actor.dirty_since_ms, address)
            for address, actor in self._actors.items()
            if address.type == actor_type and actor.outbox and actor.dirty_since_ms <= latest_ms
        )
        await self._step()
        return [address for _, address in found[:UNDISPATCHED_MAX]]

    async def charge(self, address: Address, identity: str, *, at_most: int = CHARGES_MAX) -> int:
        """Count one more run of a suspect."""
        await self._step()
        count = self._charges.charge(address, identity, at_most)
        await self._step()
        return count

    async def discharge(self, address: Address, identity: str, *, keep: int = 0) -> None:
        """Forget the charges of an envelope, but for *keep* of them."""
        await self._step()
        self._charges.discharge(address, identity, keep)
        await self._step()

    async def actors(self, actor_type: str, *, after: str = "", limit: int = 1_000) -> Sequence[Summary]:
        """Return the next actors of *actor_type* after the id *after*, by bucket and id."""
        check_page(limit)
        await self._step()
        places = sorted(
            (bucket_number(one.id), one.id)
            for one, actor in self._actors.items()
            if one.type == actor_type and actor.epoch
        )
        seen = (bucket_number(after), after) if after else (-1, "")
        found = [self._summary(Address(actor_type, place[1])) for place in places if place > seen]
        await self._step()
        return found[:limit]

    async def peek(self, address: Address) -> Snapshot | None:
        """Return *address* as it is, without claiming it."""
        await self._step()
        actor = self._actors.get(address)
        if actor is None or not actor.epoch:
            return None
        known = (actor.epoch, actor.version, actor.state, actor.undispatched(), actor.parking.size)
        snapshot = Snapshot(address, *known, actor.suspension)
        await self._step()
        return snapshot

    def is_held(self, address: Address, epoch: int, nonce: str) -> bool:
        """Return whether this is the newest claim of *address*, for what is written beside commits."""
        actor = self._actors[address]
        return (actor.epoch, actor.nonce) == (epoch, nonce)

    async def parking(
        self, address: Address, *, start: int = 0, limit: int = PARKED_READ_MAX
    ) -> Sequence[bytes]:
        """Return the entries of *address* from *start* on."""
        await self._step()
        entries = list(islice(self._actors[address].parking.entries, start, start + limit))
        await self._step()
        return entries

    async def parked(self, actor_type: str, *, due_before_ms: int) -> Sequence[Address]:
        """Return actors whose head was due before that, the longest due first; at most 1,000."""
        await self._step()
        found = sorted(
            (actor.parking.due_ms, address)
            for address, actor in self._actors.items()
            if address.type == actor_type and actor.parking.entries and actor.parking.due_ms < due_before_ms
        )
        await self._step()
        return [address for _, address in found[:PARKED_LISTED_MAX]]

    async def parked_bytes(self, actor_type: str) -> int:
        """Return how many bytes are parked for a type."""
        await self._step()
        actors = [actor for address, actor in self._actors.items() if address.type == actor_type]
        total = sum(actor.parking.size.bytes for actor in actors)
        await self._step()
        return total

    async def make_due(self, address: Address, due_ms: int) -> None:
        """Let the head of *address* be due at *due_ms*."""
        await self._step()
        self._actors[address].parking.due_ms = due_ms
        await self._step()

    async def suspended(self, actor_type: str) -> Sequence[tuple[Address, Suspension]]:
        """Return suspended actors, those suspended first first; at most 1,000."""
        await self._step()
        of_type = [(address, held) for address, held in self._actors.items() if address.type == actor_type]
        found = [(address, held.suspension) for address, held in of_type if held.suspension is not None]
        await self._step()
        found.sort(key=lambda one: (one[1].since_ms, one[0]))
        return found[:SUSPENDED_LISTED_MAX]

    async def schedule(self, entry: Scheduled) -> bool:
        """List *entry*, unless it was cancelled."""
        await self._step()
        is_listed = self._schedules.schedule(self._actors[entry.address], entry)
        await self._step()
        return is_listed

    async def arrived(self, entry: Scheduled) -> bool:
        """List *entry* no more; return whether it is to run."""
        await self._step()
        is_to_run = self._schedules.arrived(self._actors[entry.address], entry)
        await self._step()
        return is_to_run

    async def cancel(self, entry: Scheduled) -> bool:
        """See to it that *entry* never commits; return whether that is so."""
        await self._step()
        is_cancelled = self._schedules.cancel(self._actors[entry.address], entry, self._clock.now_ms())
        await self._step()
        return is_cancelled

    async def schedules(self, actor_type: str, *, limit: int = 1_000) -> Sequence[Scheduled]:
        """Return the tells that wait, those due first first."""
        check_listed(limit)
        await self._step()
        found = self._schedules.listed(actor_type, limit)
        await self._step()
        return found

    async def reminder(self, address: Address, name: str) -> bytes | None:
        """Return the reminder *name* of *address*."""
        await self._step()
        found = self._actors[address].reminders.get(name)
        await self._step()
        return None if found is None else found.reminder

    async def reminders(self, address: Address) -> Mapping[str, bytes]:
        """Return the reminders of *address*, by name."""
        await self._step()
        known = self._actors[address].reminders
        found = {name: one.reminder for name, one in known.items() if one.reminder is not None}
        await self._step()
        return found

    async def forget_reminder(self, address: Address, name: str) -> bool:
        """Forget the reminder *name* of *address*; return whether there was one."""
        await self._step()
        found = self._actors[address].reminders.pop(name, None)
        await self._step()
        return found is not None

    async def all_reminders(
        self, actor_type: str, *, limit: int = 1_000, due_before_ms: int | None = None
    ) -> Sequence[tuple[Address, str, bytes]]:
        """Return actors with a reminder, its name and itself, those due first first."""
        check_listed(limit)
        await self._step()
        of_type = [(one, actor.reminders) for one, actor in self._actors.items() if one.type == actor_type]
        found = sorted(
            (one.due_ms, address, one.name, one.reminder)
            for address, known in of_type
            for one in known.values()
            if one.reminder is not None and (due_before_ms is None or one.due_ms < due_before_ms)
        )
        await self._step()
        return [(address, name, one) for _, address, name, one in found[:limit]]

    async def close(self) -> None:
        """Do nothing: others may share this store."""
        await self._step()

    async def _step(self) -> None:
        await self._clock.sleep(0)

    def _summary(self, address: Address) -> Summary:
        actor = self._actors[address]
        sizes = (len(actor.state or b""), len(actor.outbox), len(actor.parking.entries))
        return Summary(address, actor.epoch, actor.version, *sizes, suspension=actor.suspension)

    def _found(self, address: Address, key: str, digest: bytes) -> Fresh | Duplicate | Conflict:
        records = self._actors[address].records
        record = records.get(key)
        if record is None:
            return Fresh()
        if record.expires_ms <= self._clock.now_ms():
            del records[key]
            return Fresh()
        return Duplicate(record.reply) if record.digest in {digest, CANCELLED} else Conflict()

    def _is_used_up(self, address: Address, record: KeyedRecord) -> bool:
        return isinstance(self._found(address, record.key, record.digest), Conflict)

    def _committed(self, actor: MemoryActor, commit: Commit) -> Committed | Fenced:
        claim = commit.claim
        if actor.commit == commit.nonce:
            return actor.answer(commit)
        if (actor.epoch, actor.nonce, actor.version) != (claim.epoch, claim.nonce, commit.version):
            return Fenced(actor.version)
        if (record := commit.record) is not None and (
            actor.is_cancelled(record.key)
            or (not record.replaces and self._is_used_up(claim.address, record))
        ):
            return Fenced(actor.version)
        if not commit.writes:
            return self._answered(actor, commit)
        actor.write(commit, self._clock.now_ms())
        return self._answered(actor, commit)

    def _answered(self, actor: MemoryActor, commit: Commit) -> Committed:
        outcome, caller = actor.answer(commit), commit.caller
        if caller is None or self._channels is None:
            return outcome
        answered = self._channels.put(caller.reply_to, caller.correlation_id, caller.reply)
        return replace(outcome, answered=answered)
