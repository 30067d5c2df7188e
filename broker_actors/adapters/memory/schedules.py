"""Delayed tells of an embedded store.

Invariant: a tell is either listed or cancelled, if it is not settled by a commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from broker_actors.adapters.memory.actors import MemoryActor, Record
from broker_actors.core.address import Address
from broker_actors.core.scheduled import CANCELLED, CANCELLED_KEPT_SECONDS, CANCELLED_REPLY, Scheduled


class MemorySchedules:
    """Which tells wait."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Address, str], Scheduled] = {}

    def schedule(self, actor: MemoryActor, entry: Scheduled) -> bool:
        """List *entry* of *actor*, unless it was cancelled."""
        if actor.is_cancelled(entry.key):
            return False
        self._waiting[entry.address, entry.key] = entry
        return True

    def arrived(self, actor: MemoryActor, entry: Scheduled) -> bool:
        """List *entry* no more; return whether it is to run."""
        self._waiting.pop((entry.address, entry.key), None)
        return not actor.is_cancelled(entry.key)

    def cancel(self, actor: MemoryActor, entry: Scheduled, now_ms: int) -> bool:
        """See to it that *entry* never commits; return whether that is so."""
        record = actor.records.get(entry.key)
        if record is not None and record.expires_ms > now_ms:
            return record.digest == CANCELLED
        known = self._waiting.pop((entry.address, entry.key), entry)
        until_ms = max(known.due_ms, entry.due_ms, now_ms) + CANCELLED_KEPT_SECONDS * 1000
        actor.records.pop(entry.key, None)
        actor.records[entry.key] = Record(CANCELLED, CANCELLED_REPLY, until_ms)
        return True

    def listed(self, actor_type: str, limit: int) -> Sequence[Scheduled]:
        """Return the tells that wait, those due first first."""
        of_type = [entry for entry in self._waiting.values() if entry.address.type == actor_type]
        of_type.sort(key=lambda entry: (entry.due_ms, entry.address, entry.key))
        return of_type[:limit]
