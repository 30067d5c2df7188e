"""Keeps every mailbox of a worker consumed, whatever the broker does to its consumers.

Invariant: for each mailbox there is exactly one task here, and it is always opening a
consumer, watching one, or waiting to open the next; it ends only when it is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from broker_actors.core.errors import PlatformError
from broker_actors.core.events import ConsumerLost, ConsumerOpened
from broker_actors.core.retry import Retry
from broker_actors.ports.clock import Clock
from broker_actors.ports.observer import Observer
from broker_actors.ports.transport import Consumer, Delivery, Transport
from broker_actors.runtime.arrival import Subscription

#: Waits between openings of one mailbox, in seconds, with full jitter; it never gives up.
REOPENING: Final = Retry(attempts=1, min_backoff=0.1, max_backoff=5.0)
PREFETCH: Final = 1_000

Receive = Callable[[Subscription, Delivery], None]


class Mailboxes:
    """The consumers of one worker."""

    def __init__(
        self, transport: Transport, clock: Clock, observer: Observer, *, prefetch: int = PREFETCH
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._observer = observer
        self._prefetch = prefetch
        self._attending: dict[str, asyncio.Task[None]] = {}
        self._opened: dict[str, asyncio.Event] = {}
        self._consumers: set[Consumer] = set()

    def open(
        self, mailbox: str, actor_type: str, receive: Receive, lost: Callable[[Subscription], None]
    ) -> None:
        """Consume *mailbox* from now on; nothing if it already is."""
        if mailbox not in self._attending:
            self._opened[mailbox] = asyncio.Event()
            task = asyncio.create_task(self._attend(mailbox, actor_type, receive, lost))
            self._attending[mailbox] = task

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The attending tasks; one that ends has met a bug or a wrong topology."""
        return list(self._attending.values())

    async def opened(self) -> None:
        """Return when every mailbox opened so far is consumed; raises what ended an attending task."""
        waits = [asyncio.ensure_future(opened.wait()) for opened in self._opened.values()]
        try:
            for wait in waits:
                while not wait.done():
                    await asyncio.wait([wait, *self.tasks], return_when=asyncio.FIRST_COMPLETED)
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
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(consumer.close() for consumer in self._consumers))
        self._consumers.clear()

    async def _attend(
        self, mailbox: str, actor_type: str, receive: Receive, lost: Callable[[Subscription], None]
    ) -> None:
        failures = 0
        while True:
            closing = asyncio.Event()
            subscription = Subscription(mailbox, actor_type, closing.set)
            opened_seconds = self._clock.monotonic_seconds()
            try:
                consumer = await self._transport.consume(
                    mailbox, partial(receive, subscription), prefetch=self._prefetch
                )
            except PlatformError as error:
                reason = str(error)
            else:
                self._opened[mailbox].set()
                self._observer.observe(ConsumerOpened(mailbox))
                reason = await self._watch(consumer, closing)
                lost(subscription)
            lived_seconds = self._clock.monotonic_seconds() - opened_seconds
            failures = 1 if lived_seconds > REOPENING.max_backoff else failures + 1
            self._observer.observe(ConsumerLost(mailbox, reason))
            await self._clock.sleep(REOPENING.backoff_seconds(failures, self._clock.chance()))

    async def _watch(self, consumer: Consumer, closing: asyncio.Event) -> str:
        """Return why *consumer* ended: by itself, or because its subscription was abandoned."""
        self._consumers.add(consumer)
        ended = asyncio.ensure_future(consumer.closed())
        abandoned = asyncio.ensure_future(closing.wait())
        try:
            await asyncio.wait([ended, abandoned], return_when=asyncio.FIRST_COMPLETED)
            if abandoned.done():
                await consumer.close()
                self._consumers.discard(consumer)
                return "given back to the broker"
            self._consumers.discard(consumer)
            return ended.result()
        finally:
            ended.cancel()
            abandoned.cancel()
