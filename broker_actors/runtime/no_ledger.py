"""The ledger of an actor without a store: nothing of it is durable, or remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from broker_actors.core.envelope import Envelope
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.turn import FRESH, Committed, Fenced
from broker_actors.dispatch import Dispatch
from broker_actors.ports.sections import SectionMark
from broker_actors.runtime.ledger import Found, Outcome
from broker_actors.runtime.outbox import DirectOutbox

_COMMITTED: Final = Committed()


class NoLedger:
    """`at_least_once`: no store round trip, no durable state, no dedup."""

    __slots__ = ("outbox",)

    epoch = 0
    nonce = ""
    version = 0
    rolled_back = False
    parking = None

    def __init__(self, dispatch: Dispatch) -> None:
        #: Where what a turn sends goes.
        self.outbox = DirectOutbox(dispatch)

    async def park(self, envelopes: Sequence[Envelope]) -> list[Envelope] | Fenced:  # noqa: ARG002 - the protocol's shape
        """Return nothing: there is nowhere to park."""
        return []

    def is_next(self, envelope: Envelope) -> bool:  # noqa: ARG002 - the protocol's shape
        """Return False: nothing is remembered."""
        return False

    async def look_up(self, envelope: Envelope) -> Found:  # noqa: ARG002 - the protocol's shape
        """Return `Fresh`: nothing is remembered."""
        return FRESH

    async def commit(self, outcome: Outcome) -> Committed | Fenced:  # noqa: ARG002 - the protocol's shape
        """Return `Committed`: nothing is written."""
        return _COMMITTED

    async def answered(self) -> None:
        """Do nothing: nothing is kept."""

    async def sections(self, turn: str) -> int:  # noqa: ARG002 - the protocol's shape
        """Return 0: nothing is remembered."""
        return 0

    async def commit_section(
        self,
        mark: SectionMark,  # noqa: ARG002 - the protocol's shape
        state: bytes | None,  # noqa: ARG002 - the protocol's shape
        tells: Sequence[Outgoing],  # noqa: ARG002 - the protocol's shape
    ) -> Committed | Fenced:
        """Return `Committed`: nothing is written."""
        return _COMMITTED

    def close(self, envelope: Envelope) -> None:
        """Do nothing: nothing is remembered."""

    def compare(self, found: int) -> None:
        """Do nothing: no commit is known."""
