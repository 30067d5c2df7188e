"""The part of every worker that sends what is due, astray or left over.

It consumes `actors.due` and `actors.unroutable` beside all other workers, takes no epoch,
and computes each target's mailbox at the moment it sends. What a target refuses waits
again in a delay level, so that one full mailbox holds up nobody else. What has no target
is tried for as long as a rolling deploy may take, then buried.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, from_wire, to_wire
from broker_actors.core.errors import PlatformError, UnknownActorTypeError, UnroutableError, describe
from broker_actors.core.events import Trouble
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.parking import wake_of
from broker_actors.core.retry import UNKNOWN_TARGET
from broker_actors.core.scheduled import entry_of, is_listed, listed
from broker_actors.core.wire import WireMessage, whole
from broker_actors.ports.transport import Delivery
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.leftovers import send_leftovers
from broker_actors.runtime.outbox import LEFTOVER_SECONDS
from broker_actors.runtime.services import Services
from broker_actors.runtime.strays import PASSING, bury

#: How long a refused message waits before the next try.
REFUSED_SECONDS: Final = 5
#: Of what has no target: the delay levels know no shorter wait.
WAIT_SECONDS_MIN: Final = 1.0
#: How often a message on its way through the delay levels was found to have no target.
RELAYED: Final = "ba-relayed"
#: A message found this much before its time waits again: the delay levels hold eight and a half years.
EARLY_MS_MAX: Final = 1_500
#: How long the head of a parking must have been due before the relay, and not its own worker, looks after it.
OVERDUE_SECONDS: Final = 5.0
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

    async def finish(self, subscription: Subscription) -> None:
        """Do nothing: what is under way may end or not, it is delivered again."""

    def lost(self, subscription: Subscription) -> None:
        """Do nothing: what is under way may end or not, it is delivered again."""

    async def sweep(self, actor_type: str) -> None:
        """Send what crashed workers committed and never sent.

        Raises:
            PlatformError: the store did not answer.

        """
        store = self._services.store
        for address in await store.undispatched(actor_type, older_than_seconds=LEFTOVER_SECONDS):
            await self._send_leftovers(address)

    async def wake(self, actor_type: str) -> int:
        """Have the actors looked after whose parked head should have run by now; return how many.

        Raises:
            PlatformError: the store did not answer.

        """
        now_ms = self._services.clock.now_ms()
        due_before_ms = now_ms - round(OVERDUE_SECONDS * 1000)
        addresses = await self._services.store.parked(actor_type, due_before_ms=due_before_ms)
        for address in addresses:
            try:
                await self._services.dispatch.send(wake_of(address, now_ms))
            except PlatformError as error:
                self._observe(f"parking of {address}", error)
        return len(addresses)

    async def close(self) -> None:
        """Cancel what is under way: it is delivered again."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _relay(self, subscription: Subscription, delivery: Delivery) -> None:
        try:
            await self._settle(delivery)
        except Exception as error:  # noqa: BLE001 - nobody awaits this task: a bug would keep the message unseen
            self._observe(delivery.mailbox, error)
            subscription.abandon()
        else:
            delivery.ack()

    async def _settle(self, delivery: Delivery) -> None:
        """Get *delivery* out of this mailbox: to its target, into a delay level or to the dead letters."""
        try:
            await self._forward(delivery)
        except PASSING:
            raise
        except PlatformError as error:
            # What waiting does not cure would block this mailbox for ever.
            self._observe(delivery.mailbox, error)
            letter = dead.of_message(
                delivery.message,
                describe(error),
                actor_type=topology.BROKER_KEY,
                origin=delivery.mailbox,
                now_ms=self._services.clock.now_ms(),
            )
            await bury(self._services, letter)

    async def _forward(self, delivery: Delivery) -> None:
        envelope, headers = from_wire(delivery.message), delivery.message.headers
        due_ms, refusals = whole(headers, "ba-due", 0), whole(headers, RELAYED, 0)
        clock = self._services.clock
        if due_ms > clock.now_ms() + EARLY_MS_MAX:
            await self._put_off(delivery.message, due_ms, refusals)
            return
        entry = entry_of(Outgoing(Destination.DELAY, delivery.message, due_ms))
        if entry is not None and not await self._services.store.arrived(entry):
            # Cancelled while it waited.
            return
        try:
            await self._services.dispatch.send(Outgoing(Destination.MAILBOX, to_wire(envelope)))
        except PASSING as error:
            self._observe(delivery.mailbox, error)
            await self._put_off(delivery.message, clock.now_ms() + REFUSED_SECONDS * 1000, refusals)
        except (UnknownActorTypeError, UnroutableError) as error:
            self._observe(delivery.mailbox, error)
            await self._refused(delivery, envelope, refusals + 1, error)

    async def _refused(
        self, delivery: Delivery, envelope: Envelope, refusals: int, error: PlatformError
    ) -> None:
        """Put off what has no target (yet), or bury it when the last attempt was this one."""
        clock = self._services.clock
        wait_seconds = UNKNOWN_TARGET.wait_seconds(refusals, recoverable=True, chance=clock.chance())
        if wait_seconds is not None:
            due_ms = clock.now_ms() + int(max(WAIT_SECONDS_MIN, wait_seconds) * 1000)
            await self._put_off(delivery.message, due_ms, refusals)
            return
        is_known = isinstance(error, UnroutableError)
        reason = dead.Reason.UNROUTABLE if is_known else dead.Reason.UNKNOWN_TARGET
        letter = dead.of_envelope(
            envelope, reason, describe(error), origin=delivery.mailbox, now_ms=clock.now_ms()
        )
        await bury(self._services, letter)

    async def _put_off(self, due: WireMessage, due_ms: int, refusals: int) -> None:
        message = to_wire(from_wire(due))
        if is_listed(due):
            message = listed(message)
        if refusals:
            message = replace(message, headers={**message.headers, RELAYED: refusals})
        await self._services.dispatch.send(Outgoing(Destination.DELAY, message, due_ms))

    async def _send_leftovers(self, address: Address) -> None:
        outbox = await self._services.store.outbox(address)
        await send_leftovers(self._services, address, outbox, is_due=self._is_due)

    def _is_due(self, item: Outgoing) -> bool:
        # Its own turn is about to send what is young. The clock of whoever sent it may be anywhere.
        age_seconds = self._services.clock.now_ms() // 1000 - item.message.timestamp_seconds
        return not item.seq or not 0 <= age_seconds < LEFTOVER_SECONDS

    def _observe(self, where: str, error: Exception) -> None:
        text = str(error) if isinstance(error, PlatformError) else repr(error)
        self._services.observer.observe(Trouble(f"relay: {where}", text))
