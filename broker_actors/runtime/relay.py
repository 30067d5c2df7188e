"""The part of every worker that sends what is due, astray or left over.

It consumes `actors.due` and `actors.unroutable` beside all other workers, takes no epoch,
and computes each target's mailbox at the moment it sends. What a target refuses waits
again in a delay level, so that one full mailbox holds up nobody else.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.core.envelope import from_wire
from broker_actors.core.errors import PlatformError, UndecodableError, describe
from broker_actors.core.events import Trouble
from broker_actors.core.outgoing import Destination, Outgoing, unpack
from broker_actors.core.wire import WireMessage, whole
from broker_actors.ports.transport import Delivery
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.services import Services

#: How long a refused message waits before the next try.
REFUSED_SECONDS: Final = 5
#: A message found this much before its time waits again: the delay levels hold eight and a half years.
EARLY_MS_MAX: Final = 1_500
#: How old an outbox item must be before the relay, and not its own turn, sends it.
LEFTOVER_SECONDS: Final = 10.0
SWEEP_SECONDS: Final = 5.0
MAILBOXES: Final = (topology.DUE, topology.UNROUTABLE)


class Relay:
    """Sends on behalf of nobody in particular. Bounded by the prefetch of its mailboxes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sending: set[asyncio.Task[None]] = set()

    def receive(self, subscription: Subscription, delivery: Delivery) -> None:
        """Take in a message that is due or astray; called by the transport, never blocks."""
        task = asyncio.create_task(self._relay(subscription, delivery))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def sweep(self, actor_type: str) -> int:
        """Send what crashed workers committed and never sent; return how many messages.

        Raises:
            PlatformError: the store did not answer.

        """
        store, sent = self._services.store, 0
        for address in await store.undispatched(actor_type, older_than_seconds=LEFTOVER_SECONDS):
            sent += await self._send_leftovers(address)
        return sent

    async def close(self) -> None:
        """Cancel what is under way: it is delivered again."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _relay(self, subscription: Subscription, delivery: Delivery) -> None:
        item = self._forwarded(delivery)
        try:
            try:
                await self._services.dispatch.send(item)
            except PlatformError as error:
                self._observe(delivery.mailbox, error)
                due_ms = self._services.clock.now_ms() + REFUSED_SECONDS * 1000
                await self._services.dispatch.send(Outgoing(Destination.DELAY, item.message, due_ms))
        except PlatformError as error:
            self._observe(delivery.mailbox, error)
            subscription.abandon()
            return
        delivery.ack()

    def _forwarded(self, delivery: Delivery) -> Outgoing:
        message, now_ms = _as_sent(delivery.message), self._services.clock.now_ms()
        try:
            from_wire(message)
            due_ms = whole(message.headers, "ba-due", 0)
        except UndecodableError as error:
            route = topology.BROKER_KEY
            return dead.of_message(
                message, describe(error), actor_type=route, origin=delivery.mailbox, now_ms=now_ms
            )
        if due_ms > now_ms + EARLY_MS_MAX:
            return Outgoing(Destination.DELAY, message, due_ms)
        return Outgoing(Destination.MAILBOX, message)

    async def _send_leftovers(self, address: Address) -> int:
        store, sent = self._services.store, 0
        for key, data in (await store.outbox(address)).items():
            try:
                await self._services.dispatch.send(unpack(data))
            except PlatformError as error:
                self._observe(f"outbox of {address}", error)
                continue
            await store.dispatched(address, [key])
            sent += 1
        return sent

    def _observe(self, where: str, error: PlatformError) -> None:
        self._services.observer.observe(Trouble(f"relay: {where}", str(error)))


def _as_sent(message: WireMessage) -> WireMessage:
    """Return *message* without what the broker added on its way through the delay levels."""
    broker_headers = {"x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"}
    added = {name for name in message.headers if name in broker_headers or name.startswith("x-last-death")}
    if not added:
        return message
    return replace(
        message, headers={name: value for name, value in message.headers.items() if name not in added}
    )
