"""Keeps every mailbox of a worker consumed, whatever the broker does to its consumers.

Invariant: for each mailbox there is exactly one task here, and it is always opening a
consumer, watching one, or waiting to open the next; it ends only when it is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

from broker_actors.core.errors import PlatformError
from broker_actors.core.events import ConsumerLost, ConsumerOpened, HandedOver, Trouble
from broker_actors.core.retry import Retry
from broker_actors.ports.clock import Clock
from broker_actors.ports.observer import Observer
from broker_actors.ports.transport import Consumer, Delivery, Transport
from broker_actors.runtime.arrival import PREFETCH, Subscription

#: Waits between openings of one mailbox, in seconds, with full jitter; it never gives up.
REOPENING: Final = Retry(attempts=1, min_backoff=0.1, max_backoff=5.0)
#: What runs may take this long before its mailbox is given to another worker all the same: for a mailbox
#: that merely moves, nobody else of it is served meanwhile; and for a worker that stops.
MOVE_SECONDS_MAX: Final = 1.5
DRAIN_SECONDS_MAX: Final = 20.0


class Tenant(Protocol):
    """Who is served from a mailbox."""

    def receive(self, subscription: Subscription, delivery: Delivery) -> None:
        """Take a delivery in; must not block."""
        ...

    async def finish(self, subscription: Subscription) -> None:
        """Begin nothing more of *subscription*; return when what runs has ended."""
        ...

    def lost(self, subscription: Subscription) -> None:
        """Take note that the broker has the messages of *subscription* back."""
        ...


@dataclass(frozen=True, slots=True)
class Tuning:
    """How mailboxes are consumed.

    Attributes:
        prefetch: deliveries per mailbox held unacknowledged.
        drain_seconds: how long the hand-over of a worker that stops waits for the turns that run.

    """

    prefetch: int = PREFETCH
    drain_seconds: float = DRAIN_SECONDS_MAX


@dataclass(slots=True, eq=False)
class _Mailbox:
    """One mailbox of this worker.

    Attributes:
        opened: set once it was consumed for the first time.
        moves: set when its consumer is to be handed over.
        stays: whether it is consumed again after that.
        finish_seconds: how long its turns may take to end before that.
        subscription: of the open consumer; None while there is none.
        reason: why there is none.

    """

    name: str
    actor_type: str
    tenant: Tenant
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    moves: asyncio.Event = field(default_factory=asyncio.Event)
    stays: bool = True
    finish_seconds: float = MOVE_SECONDS_MAX
    subscription: Subscription | None = None
    reason: str = "not opened yet"


class Mailboxes:
    """The consumers of one worker."""

    def __init__(
        self, transport: Transport, clock: Clock, observer: Observer, tuning: Tuning | None = None
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._observer = observer
        self._tuning = tuning or Tuning()
        self._mailboxes: dict[str, _Mailbox] = {}
        self._attending: dict[str, asyncio.Task[None]] = {}
        self._consumers: set[Consumer] = set()

    def open(self, name: str, actor_type: str, tenant: Tenant) -> None:
        """Consume the mailbox *name* from now on; nothing if it already is."""
        if name not in self._mailboxes:
            mailbox = self._mailboxes[name] = _Mailbox(name, actor_type, tenant)
            self._attending[name] = asyncio.create_task(self._attend(mailbox))

    def hand_over(self, name: str, *, stays: bool, draining: bool = False) -> None:
        """Finish what runs and give the mailbox *name* back; then stand by for it, or forget it."""
        mailbox = self._mailboxes.get(name)
        if mailbox is not None and not mailbox.moves.is_set():
            mailbox.stays = stays
            mailbox.finish_seconds = self._tuning.drain_seconds if draining else MOVE_SECONDS_MAX
            mailbox.moves.set()

    def __contains__(self, name: object) -> bool:
        """Return whether the mailbox *name* is consumed, or is about to be."""
        return name in self._mailboxes

    def subscription(self, name: str) -> Subscription | None:
        """Return that of the open consumer of the mailbox *name*; None if there is none, or it moves."""
        mailbox = self._mailboxes.get(name)
        return None if mailbox is None or mailbox.moves.is_set() else mailbox.subscription

    @property
    def subscriptions(self) -> list[Subscription]:
        """Those of the consumers that are open."""
        found = (mailbox.subscription for mailbox in self._mailboxes.values())
        return [subscription for subscription in found if subscription is not None]

    @property
    def missing(self) -> Mapping[str, str]:
        """The mailboxes that should be consumed and are not, and why."""
        return MappingProxyType(
            {name: one.reason for name, one in list(self._mailboxes.items()) if one.subscription is None}
        )

    async def opened(self) -> None:
        """Return when every mailbox opened so far is consumed; raises what ended an attending task."""
        waits = [asyncio.ensure_future(mailbox.opened.wait()) for mailbox in self._mailboxes.values()]
        try:
            for wait in waits:
                while not wait.done():
                    tasks = self._attending.values()
                    await asyncio.wait([wait, *tasks], return_when=asyncio.FIRST_COMPLETED)
                    self.check()
        finally:
            for wait in waits:
                wait.cancel()

    def check(self) -> None:
        """Raise what ended an attending task, which only a bug or a wrong topology can."""
        for task in self._attending.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def close(self) -> None:
        """Close every consumer: what is not acknowledged returns to the broker. Idempotent."""
        tasks = list(self._attending.values())
        self._attending.clear()
        self._mailboxes.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(consumer.close() for consumer in self._consumers))
        self._consumers.clear()

    async def _attend(self, mailbox: _Mailbox) -> None:
        failures = 0
        while mailbox.stays:
            mailbox.moves.clear()
            opened_seconds = self._clock.monotonic_seconds()
            closing = asyncio.Event()
            window = self._tuning.prefetch
            subscription = Subscription(mailbox.name, mailbox.actor_type, closing.set, window=window)
            try:
                consumer = await self._transport.consume(
                    mailbox.name,
                    partial(mailbox.tenant.receive, subscription),
                    prefetch=self._tuning.prefetch,
                )
            except PlatformError as error:
                mailbox.reason = str(error)
            else:
                mailbox.subscription = subscription
                mailbox.opened.set()
                self._observer.observe(ConsumerOpened(mailbox.name))
                mailbox.reason = await self._serve(mailbox, subscription, consumer, closing)
                mailbox.subscription = None
                mailbox.tenant.lost(subscription)
                if mailbox.moves.is_set():
                    continue
            lived_seconds = self._clock.monotonic_seconds() - opened_seconds
            failures = 1 if lived_seconds > REOPENING.max_backoff else failures + 1
            self._observer.observe(ConsumerLost(mailbox.name, mailbox.reason))
            await self._clock.sleep(REOPENING.backoff_seconds(failures, self._clock.chance()))
        # Closed meanwhile, perhaps.
        self._mailboxes.pop(mailbox.name, None)
        self._attending.pop(mailbox.name, None)

    async def _serve(
        self, mailbox: _Mailbox, subscription: Subscription, consumer: Consumer, closing: asyncio.Event
    ) -> str:
        """Return why *consumer* ended: by itself, given back in haste, or handed over."""
        self._consumers.add(consumer)
        ended = asyncio.ensure_future(consumer.closed())
        abandoned = asyncio.ensure_future(closing.wait())
        moves = asyncio.ensure_future(mailbox.moves.wait())
        try:
            await asyncio.wait([ended, abandoned, moves], return_when=asyncio.FIRST_COMPLETED)
            if moves.done() and not ended.done() and not abandoned.done():
                await self._finish(mailbox, subscription, ended)
            reason = ended.result() if ended.done() else "given back to the broker"
            await consumer.close()
            # Not before: while it is open, `close` must know of it.
            self._consumers.discard(consumer)
            return reason
        finally:
            for waiting in (ended, abandoned, moves):
                waiting.cancel()

    async def _finish(
        self, mailbox: _Mailbox, subscription: Subscription, ended: asyncio.Future[str]
    ) -> None:
        """Let what runs end, for as long as the broker and the deadline allow."""
        began_seconds = self._clock.monotonic_seconds()
        finishing = asyncio.ensure_future(mailbox.tenant.finish(subscription))
        try:
            deadline_seconds = mailbox.finish_seconds
            ends: list[asyncio.Future[None] | asyncio.Future[str]] = [finishing, ended]
            await asyncio.wait(ends, timeout=deadline_seconds, return_when=asyncio.FIRST_COMPLETED)
            if finishing.done():
                await finishing
            elif not ended.done():
                text = f"turns still run after {deadline_seconds:g} s; the next worker runs them again"
                self._observer.observe(Trouble(f"hand-over of {mailbox.name}", text))
        finally:
            finishing.cancel()
        if subscription.is_served:
            self._observer.observe(HandedOver(mailbox.name, self._clock.monotonic_seconds() - began_seconds))
