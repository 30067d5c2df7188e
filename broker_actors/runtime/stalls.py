"""Finds consumers that are registered and never served, and opens them anew.

After a failover a broker may have a consumer in its list and not know that it owes it
anything. Such a mailbox has messages ready while its owner holds none of them. Seen twice
in a row, with nothing delivered in between, it is stalled. Opening a healthy consumer
anew would cost a hand-over, so a mailbox that merely moves is given that much time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.ports.observer import Observer
from broker_actors.ports.transport import Transport
from broker_actors.runtime.arrival import Subscription

#: From one look to the next.
LOOK_SECONDS: Final = 15.0


class Stalls:
    """The mailboxes of one worker that were found waiting."""

    def __init__(self, transport: Transport, observer: Observer) -> None:
        self._transport = transport
        self._observer = observer
        #: How much each suspected subscription had been delivered when it was looked at.
        self._suspected: dict[Subscription, int] = {}

    async def look(self, idle: Iterable[Subscription]) -> None:
        """Look at mailboxes of which this worker is the owner and holds nothing; reopen what is stalled."""
        suspected: dict[Subscription, int] = {}
        for subscription in idle:
            if not await self._waits(subscription.mailbox):
                continue
            if self._suspected.get(subscription) != subscription.delivered:
                suspected[subscription] = subscription.delivered
            else:
                text = "messages are ready and none is delivered: opening its consumer anew"
                self._observer.observe(Trouble(subscription.mailbox, text))
                subscription.abandon()
        self._suspected = suspected

    async def _waits(self, mailbox: str) -> bool:
        try:
            return (await self._transport.depth(mailbox)).ready > 0
        except PlatformError:
            # Whoever consumes it meets the same trouble, and says so.
            return False
