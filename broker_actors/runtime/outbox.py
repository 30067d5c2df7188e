"""From the commit to the broker: sending what a turn committed, within bounds and in order.

Invariant: items to one target leave in the order of their commits. What the broker did not
take stays in the store's outbox and holds back what follows it to that target, until the
relay has sent it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.outgoing import OUTBOX_ITEMS_MAX, Outgoing
from broker_actors.core.unsent import Backlog
from broker_actors.dispatch import Dispatch
from broker_actors.ports.commit import OutboxKey
from broker_actors.ports.outbox_numbers import item_index
from broker_actors.runtime.services import Services

#: How old an outbox item must be before the relay, and not its own turn, sends it.
LEFTOVER_SECONDS: Final = 10.0

#: An item, and its index in its commit.
Indexed = tuple[int, Outgoing]


class Outbox(Protocol):
    """Where a turn's messages go after its commit."""

    @property
    def numbers(self) -> bool:
        """Whether a commit numbers them."""
        ...

    @property
    def room(self) -> int:
        """How many more may be recorded."""
        ...

    async def send(self, version: int, items: Sequence[Indexed]) -> None:
        """Publish *items* of the commit that made *version*, in order and without waiting between.

        Raises:
            PlatformError: one of them was not confirmed, or the store did not hear of those that were.

        """
        ...


class StoreOutbox:
    """The outbox of an actor whose turns are committed. Implements `Outbox`."""

    __slots__ = ("_address", "_backlog", "_epoch", "_is_known", "_looked_seconds", "_pending", "_services")

    numbers = True

    def __init__(
        self, services: Services, address: Address, epoch: int, backlog: Backlog, *, is_empty: bool
    ) -> None:
        """Go on with *backlog*; with *is_empty* the claim found nothing in the store's outbox."""
        self._services = services
        self._address = address
        #: Of the claim under which everything is committed that is sent here.
        self._epoch = epoch
        #: What is not known to have left; None for nothing, as with nearly all actors at a time.
        self._backlog = backlog if len(backlog) else None
        #: How many items the store's outbox holds, but for what nobody here can send, until it was counted.
        self._pending = len(backlog)
        #: Whether that is all there is.
        self._is_known = is_empty
        #: When the outbox was last read, on the monotonic clock.
        self._looked_seconds = services.clock.monotonic_seconds()

    @property
    def room(self) -> int:
        """How many more may be recorded before the broker has taken some."""
        return max(0, OUTBOX_ITEMS_MAX - self._pending)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known to be left to send, so that a commit that adds nothing need not count."""
        return self._is_known and not self._pending and self._backlog is None

    def committed(self, pending: int) -> None:
        """Take note of how many items the outbox holds."""
        self._pending = pending
        self._is_known = True

    async def send(self, version: int, items: Sequence[Indexed]) -> None:
        """Publish *items* but for those that wait behind others; see `Outbox`."""
        await self._look(version)
        # From here to its confirms it holds something, so that sends that overlap share it.
        if (backlog := self._backlog) is None:
            backlog = self._backlog = Backlog()
        placed = [((version, item_index(self._epoch, place)), item) for place, item in items]
        going = [one for one in placed if backlog.add(*one)]
        lowered = [item.with_low(backlog.low(item)) if item.seq else item for _, item in going]
        confirmed, failed = await _publish(self._services.dispatch, lowered)
        places = [going[n][0] for n in confirmed]
        backlog.confirm(places)
        self._pending -= len(places)
        for n in failed:
            backlog.hold(going[n][0])
        if not len(backlog):
            self._backlog = None
        await self._services.store.dispatched(self._address, [OutboxKey(*place) for place in places])
        _raise_first(failed)

    async def _look(self, version: int) -> None:
        """See what the relay has sent of what is held back; it takes nothing younger than its patience."""
        if (backlog := self._backlog) is None or not backlog.is_holding:
            return
        now_seconds = self._services.clock.monotonic_seconds()
        if now_seconds < self._looked_seconds + LEFTOVER_SECONDS:
            return
        self._looked_seconds = now_seconds
        try:
            found = await self._services.store.outbox(self._address)
        except StoreUnavailableError:
            # Nothing is known, so everything is still held back.
            return
        backlog.keep({(key.version, key.index) for key in found}, before=version)


class DirectOutbox:
    """No outbox: what cannot be sent is not sent. Implements `Outbox`."""

    __slots__ = ("_dispatch",)

    numbers = False
    room = OUTBOX_ITEMS_MAX

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def send(self, version: int, items: Sequence[Indexed]) -> None:  # noqa: ARG002 - the protocol's shape
        """Publish *items*; see `Outbox`."""
        _, failed = await _publish(self._dispatch, [item for _, item in items])
        _raise_first(failed)


def numbered(outgoing: Sequence[Outgoing], marks: Sequence[bytes | None]) -> list[tuple[int, Outgoing]]:
    """Return *outgoing* with the numbers the commit gave, without what has been sent since."""
    if not marks:
        return list(enumerate(outgoing))
    pairs = enumerate(zip(outgoing, marks, strict=True))
    return [(index, item.marked(mark)) for index, (item, mark) in pairs if mark is not None]


async def _publish(
    dispatch: Dispatch, items: Sequence[Outgoing]
) -> tuple[list[int], dict[int, BaseException]]:
    """Return which of *items* are confirmed, and what went wrong with the others."""
    results = await asyncio.gather(*(dispatch.send(item) for item in items), return_exceptions=True)
    failed = {n: error for n, error in enumerate(results) if error is not None}
    return [n for n in range(len(items)) if n not in failed], failed


def _raise_first(failed: dict[int, BaseException]) -> None:
    if failed:
        raise next(iter(failed.values()))
