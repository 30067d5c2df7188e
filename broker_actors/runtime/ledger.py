"""Where the turns of one activation become durable: a claim in the store, or nowhere.

Invariant: after `commit` returned `Committed`, the ledger's claim is at the version the
store holds; after anything else the ledger must not be used again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from broker_actors.core.envelope import Envelope
from broker_actors.core.reply import Reply
from broker_actors.core.turn import Committed, Conflict, Duplicate, Fenced, Fresh
from broker_actors.ports.store import Claim, Commit, KeyedRecord, OutboxKey, Store


class Ledger(Protocol):
    """Remembers what an actor did."""

    @property
    def epoch(self) -> int:
        """The fencing token of this activation; 0 without a store."""
        ...

    async def look_up(self, envelope: Envelope) -> Fresh | Duplicate | Conflict:
        """Return whether the keyed *envelope* has run."""
        ...

    async def commit(
        self, nonce: str, state: bytes | None, record: KeyedRecord | None, outbox: Sequence[bytes]
    ) -> Committed | Fenced:
        """Make a turn durable."""
        ...

    async def dispatched(self, indices: Sequence[int]) -> None:
        """Forget these outbox items of the last commit."""
        ...


class StoreLedger:
    """`effectively_once`: every turn is one fenced commit."""

    __slots__ = ("_claim", "_store")

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._claim = claim

    @property
    def epoch(self) -> int:
        """The fencing token of this activation."""
        return self._claim.epoch

    async def look_up(self, envelope: Envelope) -> Fresh | Duplicate | Conflict:
        """Return whether the keyed *envelope* has run; raises `StoreUnavailableError`."""
        return await self._store.look_up(self._claim.address, envelope.key, envelope.digest())

    async def commit(
        self, nonce: str, state: bytes | None, record: KeyedRecord | None, outbox: Sequence[bytes]
    ) -> Committed | Fenced:
        """Write the turn if this claim still holds; raises `StoreUnavailableError`."""
        outcome = await self._store.commit(Commit(self._claim, nonce, state, record, outbox))
        if isinstance(outcome, Committed) and (state is not None or record is not None or outbox):
            self._claim = replace(self._claim, version=self._claim.version + 1)
        return outcome

    async def dispatched(self, indices: Sequence[int]) -> None:
        """Forget these items of the last commit; raises `StoreUnavailableError`."""
        version = self._claim.version
        await self._store.dispatched(self._claim.address, [OutboxKey(version, index) for index in indices])


class NoLedger:
    """`at_least_once`: no store round trip, no durable state, no dedup."""

    __slots__ = ()

    epoch = 0

    async def look_up(self, envelope: Envelope) -> Fresh | Duplicate | Conflict:  # noqa: ARG002 - the protocol's shape
        """Return `Fresh`: nothing is remembered."""
        return Fresh()

    async def commit(
        self,
        nonce: str,  # noqa: ARG002 - the protocol's shape
        state: bytes | None,  # noqa: ARG002 - the protocol's shape
        record: KeyedRecord | None,  # noqa: ARG002 - the protocol's shape
        outbox: Sequence[bytes],  # noqa: ARG002 - the protocol's shape
    ) -> Committed | Fenced:
        """Return `Committed`: nothing is written."""
        return Committed()

    async def dispatched(self, indices: Sequence[int]) -> None:
        """Do nothing: there is no outbox."""


def record_of(envelope: Envelope, reply: Reply | None, retention_seconds: int) -> KeyedRecord | None:
    """Return the record that replays *reply* to duplicates of *envelope*; None if none is to be kept."""
    if reply is None or not envelope.key:
        return None
    return KeyedRecord(envelope.key, envelope.digest(), reply, retention_seconds)
