"""Messages in a mailbox that are not envelopes: buried, then acknowledged."""

from __future__ import annotations

import asyncio
from typing import Final

from broker_actors.core import dead, reply
from broker_actors.core.errors import (
    BrokerUnavailableError,
    ErrorRecord,
    MailboxFullError,
    PlatformError,
    StoreUnavailableError,
    UndecodableError,
    describe,
)
from broker_actors.core.events import Trouble, Undecodable
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import Delivery
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.services import Services

#: What waiting cures. After any other error the same message would fail in the same way for ever.
PASSING: Final = (BrokerUnavailableError, StoreUnavailableError, MailboxFullError)


async def bury(services: Services, letter: Outgoing) -> None:
    """Send *letter* to the dead letters, and only what is certain to arrive if it cannot go as it is.

    Raises:
        PlatformError: the broker does not take it now.

    """
    try:
        await services.dispatch.send(letter)
    except PASSING:
        raise
    except Exception as error:  # noqa: BLE001 - a message that nobody can bury would block its mailbox for ever
        services.observer.observe(Trouble("bury", f"keeping the body only: {error!r}"))
        await services.dispatch.send(dead.bare(letter))


class Strays:
    """Buries what cannot be read. As many at a time as the mailboxes' prefetch allows."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._burying: set[asyncio.Task[None]] = set()

    def bury(self, delivery: Delivery, subscription: Subscription, error: UndecodableError) -> None:
        """Send *delivery* to the dead letters, tell its caller if it names one, acknowledge it."""
        task = asyncio.create_task(self._take(delivery, subscription, error))
        self._burying.add(task)
        task.add_done_callback(self._burying.discard)

    async def close(self) -> None:
        """Cancel what is under way: it is delivered again."""
        for task in self._burying:
            task.cancel()
        await asyncio.gather(*self._burying, return_exceptions=True)

    async def _take(self, delivery: Delivery, subscription: Subscription, error: UndecodableError) -> None:
        try:
            await self._bury(delivery, subscription, error)
        except Exception as failure:  # noqa: BLE001 - nobody awaits this task: a bug would keep the message unseen
            where = f"strays: {subscription.mailbox}"
            text = str(failure) if isinstance(failure, PlatformError) else repr(failure)
            self._services.observer.observe(Trouble(where, text))
            subscription.abandon()
        else:
            subscription.ack(delivery)

    async def _bury(self, delivery: Delivery, subscription: Subscription, error: UndecodableError) -> None:
        services, message = self._services, delivery.message
        services.observer.observe(Undecodable(subscription.mailbox, str(error)))
        record = describe(error)
        letter = dead.of_message(
            message,
            record,
            actor_type=subscription.actor_type,
            origin=subscription.mailbox,
            now_ms=services.clock.now_ms(),
        )
        await bury(services, letter)
        await self._tell_caller(subscription.mailbox, message, record)

    async def _tell_caller(self, mailbox: str, message: WireMessage, record: ErrorRecord) -> None:
        if not message.reply_to or not message.correlation_id:
            return
        try:
            await self._services.replies.send(
                message.reply_to, message.correlation_id, reply.of_error(record)
            )
        except PASSING:
            raise
        except Exception as error:  # noqa: BLE001 - it is kept; a caller nobody can reach is no reason to start over
            self._services.observer.observe(Trouble(f"strays: {mailbox}: reply", repr(error)))
