"""The part of every worker that sends what is due, astray or left over.

It consumes `actors.due` and `actors.unroutable` beside all other workers, takes no epoch,
and computes each target's mailbox at the moment it sends. What comes before its time waits
in the next level; what is due within a second waits here, and leaves in order of its time.
What a target refuses waits again, so that one full mailbox holds up nobody else. What has no
target is tried for as long as a rolling deploy may take, then buried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from broker_actors.core import dead, delay, topology
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, from_wire, to_wire
from broker_actors.core.errors import (
    PlatformError,
    UndecodableError,
    UnknownActorTypeError,
    UnroutableError,
    describe,
)
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
from broker_actors.runtime.punctual import Held, Punctual
from broker_actors.runtime.services import Services
from broker_actors.runtime.strays import PASSING, bury

#: How long a refused message waits before the next try.
REFUSED_SECONDS: Final = 5
#: Of what has no target: the delay levels know no shorter wait.
WAIT_SECONDS_MIN: Final = 1.0
#: When a message is due; whoever sends it says so.
DUE_HEADER: Final = "ba-due"
#: How often a message on its way through the delay levels was found to have no target.
RELAYED: Final = "ba-relayed"
#: How long the head of a parking must have been due before the relay, and not its own worker, looks after it.
OVERDUE_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 5.0
MAILBOXES: Final = (topology.DUE, topology.UNROUTABLE)


class Relay:
    """Sends on behalf of nobody in particular. Bounded by the prefetch of its mailboxes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._punctual = Punctual(services.clock, services.observer, self._begin)
        self._putting_off: set[asyncio.Task[None]] = set()

    def receive(self, subscription: Subscription, delivery: Delivery) -> None:
        """Take in a message that is due, early or astray; called by the transport, never blocks."""
        if subscription.is_lost():
            return
        held, now_ms = Held(subscription, delivery), self._services.clock.now_ms()
        due_ms = _due_ms(delivery) or now_ms
        if not delay.stretch_seconds(due_ms, now_ms):
            self._punctual.hold(held, due_ms)
            return
        task = asyncio.create_task(self._settle(held, partial(self._wait_on, delivery, due_ms)))
        self._putting_off.add(task)
        task.add_done_callback(self._putting_off.discard)

    async def finish(self, subscription: Subscription) -> None:
        """Do nothing: what is under way may end or not, it is delivered again."""

    def lost(self, subscription: Subscription) -> None:
        """Forget what came by *subscription* and is held: it is delivered again."""
        subscription.lose()

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
        await self._punctual.close()
        for task in self._putting_off:
            task.cancel()
        await asyncio.gather(*self._putting_off, return_exceptions=True)

    async def _begin(self, batch: Sequence[Held]) -> Sequence[asyncio.Task[None]]:
        """Begin to pass on what is due: asking the store about all of it first keeps it in order."""
        asked = [self._arrived(held.delivery) for held in batch]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        pairs = zip(batch, answers, strict=True)
        passing = ((held, partial(self._pass_on, held.delivery, answer)) for held, answer in pairs)
        return [asyncio.create_task(self._settle(held, pass_on)) for held, pass_on in passing]

    async def _arrived(self, delivery: Delivery) -> bool:
        """Return whether *delivery* is to be passed on: it is not if it was cancelled while it waited."""
        if not is_listed(delivery.message):
            return True
        entry = entry_of(Outgoing(Destination.DELAY, delivery.message, _due_ms(delivery)))
        return entry is None or await self._services.store.arrived(entry)

    async def _settle(self, held: Held, passing: Callable[[], Awaitable[None]]) -> None:
        """Get *held* out of this mailbox: to its target, into a delay level or to the dead letters."""
        delivery = held.delivery
        try:
            try:
                await passing()
            except PASSING:
                raise
            except PlatformError as error:
                # What waiting does not cure would block this mailbox for ever.
                self._observe(delivery.mailbox, error)
                await bury(self._services, self._letter(delivery, error))
        except Exception as error:  # noqa: BLE001 - nobody awaits this task: a bug would keep the message unseen
            self._observe(delivery.mailbox, error)
            held.subscription.abandon()
        else:
            delivery.ack()

    def _letter(self, delivery: Delivery, error: PlatformError) -> Outgoing:
        return dead.of_message(
            delivery.message,
            describe(error),
            actor_type=topology.BROKER_KEY,
            origin=delivery.mailbox,
            now_ms=self._services.clock.now_ms(),
        )

    async def _wait_on(self, delivery: Delivery, due_ms: int) -> None:
        """Let *delivery* wait in its next level, as it is: it is listed already, if it is to be."""
        message = delivery.message
        # What the broker says of its way so far is of no use there, and would grow.
        headers = {name: value for name, value in message.headers.items() if not name.startswith("x-")}
        route = topology.waiting_route(due_ms, self._services.clock.now_ms())
        await self._services.dispatch.publish(route, replace(message, headers=headers))

    async def _pass_on(self, delivery: Delivery, answer: bool | BaseException) -> None:  # noqa: FBT001 - as it came
        """Send *delivery* to its target, if the store has answered that it is to run."""
        envelope, headers = from_wire(delivery.message), delivery.message.headers
        # What nobody can read is buried, although it could be passed on without it.
        whole(headers, DUE_HEADER, 0)
        refusals = whole(headers, RELAYED, 0)
        if isinstance(answer, BaseException):
            raise answer
        if not answer:
            return
        try:
            await self._services.dispatch.send(Outgoing(Destination.MAILBOX, to_wire(envelope)))
        except PASSING as error:
            self._observe(delivery.mailbox, error)
            due_ms = self._services.clock.now_ms() + REFUSED_SECONDS * 1000
            await self._put_off(delivery.message, due_ms, refusals)
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


def _due_ms(delivery: Delivery) -> int:
    """Return when *delivery* is due, Unix milliseconds; 0 if it does not say, or nobody can read it."""
    try:
        return whole(delivery.message.headers, DUE_HEADER, 0)
    except UndecodableError:
        return 0
