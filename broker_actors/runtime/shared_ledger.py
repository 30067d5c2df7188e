"""The ledger of an actor whose turns overlap.

Each commit starts from the version the one before it made, so they are written one after
the other. Invariant: between a commit and its answer no other commit of the actor begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from broker_actors.core.envelope import Envelope
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.sections import SectionMark
from broker_actors.runtime.ledger import Found, Ledger, Outcome
from broker_actors.runtime.outbox import Outbox


class SharedLedger:
    """A ledger that several turns may use at a time. Implements `runtime.ledger.Ledger`."""

    __slots__ = ("_inner", "_writing")

    def __init__(self, inner: Ledger) -> None:
        self._inner = inner
        self._writing = asyncio.Lock()

    @property
    def epoch(self) -> int:
        """The fencing token of this activation."""
        return self._inner.epoch

    @property
    def nonce(self) -> str:
        """What tells the claim of this activation from every other."""
        return self._inner.nonce

    @property
    def version(self) -> int:
        """How many commits this activation knows of."""
        return self._inner.version

    @property
    def rolled_back(self) -> bool:
        """Whether it was said that the store had lost commits this activation knows of."""
        return self._inner.rolled_back

    @property
    def outbox(self) -> Outbox:
        """Where what is committed goes."""
        return self._inner.outbox

    async def look_up(self, envelope: Envelope) -> Found:
        """Return whether *envelope* has run; raises `StoreUnavailableError`."""
        return await self._inner.look_up(envelope)

    async def commit(self, outcome: Outcome) -> Committed | Fenced:
        """Write the turn when it is its turn; raises `StoreUnavailableError`."""
        async with self._writing:
            return await self._inner.commit(outcome)

    async def sections(self, turn: str) -> int:
        """Return how many sections of *turn* are durable; raises `StoreUnavailableError`."""
        return await self._inner.sections(turn)

    async def commit_section(
        self, mark: SectionMark, state: bytes | None, tells: Sequence[Outgoing]
    ) -> Committed | Fenced:
        """Write a section when it is its turn; raises `StoreUnavailableError`."""
        async with self._writing:
            return await self._inner.commit_section(mark, state, tells)

    def close(self, envelope: Envelope) -> None:
        """Take note that *envelope* will never run."""
        self._inner.close(envelope)
