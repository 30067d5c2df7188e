"""Messages in a mailbox that are not envelopes: buried, then acknowledged."""

from __future__ import annotations

import asyncio

from broker_actors.core import dead, reply
from broker_actors.core.errors import PlatformError, UndecodableError, describe
from broker_actors.core.events import Undecodable
from broker_actors.ports.transport import Delivery
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.services import Services


class Strays:
    """Buries what cannot be read. As many at a time as the mailboxes' prefetch allows."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._burying: set[asyncio.Task[None]] = set()

    def bury(self, delivery: Delivery, subscription: Subscription, error: UndecodableError) -> None:
        """Send *delivery* to the dead letters, tell its caller if it names one, acknowledge it."""
        task = asyncio.create_task(self._bury(delivery, subscription, error))
        self._burying.add(task)
        task.add_done_callback(self._burying.discard)

    async def close(self) -> None:
        """Cancel what is under way: it is delivered again."""
        for task in self._burying:
            task.cancel()
        await asyncio.gather(*self._burying, return_exceptions=True)

    async def _bury(self, delivery: Delivery, subscription: Subscription, error: UndecodableError) -> None:
        services, message = self._services, delivery.message
        record = describe(error)
        letter = dead.of_message(
            message,
            record,
            actor_type=subscription.actor_type,
            origin=subscription.mailbox,
            now_ms=services.clock.now_ms(),
        )
        services.observer.observe(Undecodable(subscription.mailbox, str(error)))
        try:
            await services.dispatch.send(letter)
            if message.reply_to and message.correlation_id:
                await services.replies.send(message.reply_to, message.correlation_id, reply.of_error(record))
        except PlatformError:
            subscription.abandon()
            return
        delivery.ack()
