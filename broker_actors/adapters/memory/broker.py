"""The in-process broker: exchanges, queues, time to live and dead-lettering.

Invariants: it acts only when called or when its clock says so; its timers run while
somebody is connected and belong to it, never to the connection that published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextvars import copy_context
from dataclasses import replace
from itertools import count
from typing import Final

from broker_actors.adapters.memory.exchanges import Exchanges
from broker_actors.adapters.memory.queue import Entry, MemoryQueue, Subscription
from broker_actors.core.errors import MailboxFullError, TopologyMismatchError, UnroutableError
from broker_actors.core.topology import Binding, Declaration, Exchange, Queue, Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.clock import Clock

#: How long an expired message that nobody takes waits before the broker tries again.
_DEAD_LETTER_RETRY_SECONDS: Final = 1.0
#: As the policy of a deployment has it: what waits is in this process.
MAILBOX_MAX: Final = 1_000_000


class MemoryBroker:
    """What `MemoryTransport`s connect to.

    Args:
        clock: drives the time to live of messages; may be virtual.
        mailbox_max: how many messages may be ready in a mailbox: what a policy is for a real broker.

    """

    def __init__(self, clock: Clock, *, mailbox_max: int = MAILBOX_MAX) -> None:
        self.clock = clock
        self._mailbox_max = mailbox_max
        self._exchanges = Exchanges()
        self._queues: dict[str, MemoryQueue] = {}
        self._message_ids = count(1)
        self._connections: dict[object, None] = {}
        self._watchers: list[asyncio.Future[None]] = []
        self._timers: dict[str, asyncio.Task[None]] = {}
        # A timer must outlive the task that happened to publish, also in a simulation that
        # tells nodes apart by their context.
        self._context = copy_context()

    def connect(self, connection: object) -> None:
        """Take note of *connection*. Timers run from the first to the last."""
        self._connections[connection] = None
        for queue in self._queues.values():
            self._watch(queue)

    async def disconnect(self, connection: object) -> None:
        """Forget *connection*; without any left, stop the timers. What is due waits for the next."""
        self._connections.pop(connection, None)
        if self._connections:
            return
        timers = tuple(self._timers.values())
        self._timers.clear()
        for timer in timers:
            timer.cancel()
        if timers:
            await asyncio.wait(timers)

    def declare(self, declaration: Declaration) -> None:
        """Make sure that *declaration* exists.

        Raises:
            TopologyMismatchError: it exists with other arguments, or refers to what does not exist.

        """
        match declaration:
            case Exchange():
                self._exchanges.declare(declaration)
            case Binding():
                self._exchanges.bind(declaration, self._queues)
            case Queue(name, arguments):
                # What actors are served from has one active consumer; what must not be refused has not.
                length_max = self._mailbox_max if arguments.get("x-single-active-consumer") else None
                queue = self._queues.setdefault(name, MemoryQueue(name, arguments, length_max=length_max))
                if queue.arguments != dict(arguments):
                    text = f"queue {name} exists with {queue.arguments}, declared was {dict(arguments)}"
                    raise TopologyMismatchError(text)

    def delete(self, mailbox: str) -> None:
        """Delete a queue with all that is in it; its consumers are cancelled."""
        queue = self._queues.pop(mailbox, None)
        if queue is not None:
            self._exchanges.unbind_queue(mailbox)
            queue.end_all(f"the broker cancelled the consumer: queue {mailbox} was deleted")

    def queue(self, name: str) -> MemoryQueue:
        """Return the queue *name*.

        Raises:
            UnroutableError: there is none.

        """
        if (queue := self._queues.get(name)) is None:
            raise UnroutableError(f"there is no queue {name}")
        return queue

    @property
    def queues(self) -> list[MemoryQueue]:
        """Every queue, in the order of declaration."""
        return list(self._queues.values())

    async def acknowledged(self) -> None:
        """Return once something is acknowledged, the only way in which a message leaves for good."""
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append(watcher)
        await watcher

    def settle(self, queue: MemoryQueue, subscription: Subscription, tags: Iterable[int]) -> None:
        """Forget what a consumer of *queue* has acknowledged."""
        queue.settle(subscription, tags)
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)

    def unsubscribe(self, queue: MemoryQueue, subscription: Subscription) -> None:
        """End a consumer of *queue*; what it has not acknowledged returns to the head in order."""
        queue.unsubscribe(subscription)
        self._watch(queue)

    def publish(self, route: Route, message: WireMessage) -> None:
        """Put *message* into every queue it is routed to.

        Raises:
            UnroutableError: there is none.
            MailboxFullError: one of them refused it; the others keep it.

        """
        names = self._targets(route)
        if not names:
            text = f"no queue is bound to exchange {route.exchange!r}, routing key {route.key!r}"
            raise UnroutableError(text)
        # The headers are the publisher's own mapping; what lies in a broker changes no more.
        copy = replace(message, headers=dict(message.headers), message_id=f"memory-{next(self._message_ids)}")
        refused = [name for name in names if not self._put(self._queues[name], copy, route.key)]
        if refused:
            raise MailboxFullError(f"full: {', '.join(refused)}")

    def _targets(self, route: Route) -> list[str]:
        if not route.exchange:
            return [route.key] if route.key in self._queues else []
        return self._exchanges.route(route.exchange, route.key)

    def _put(self, queue: MemoryQueue, message: WireMessage, key: str) -> bool:
        if queue.full:
            return False
        queue.put(message, key, self.clock.monotonic_seconds())
        self._watch(queue)
        return True

    def _watch(self, queue: MemoryQueue) -> None:
        """Make sure that a timer runs while *queue* holds something that will expire."""
        expires = queue.head and queue.head[0].due_seconds != float("inf")
        if not expires or not self._connections or queue.name in self._timers:
            return
        loop = asyncio.get_running_loop()
        timer = loop.create_task(self._expire(queue), name=f"expire {queue.name}", context=self._context)
        self._timers[queue.name] = timer
        timer.add_done_callback(self._timer_ended, context=self._context)

    async def _expire(self, queue: MemoryQueue) -> None:
        # Within one queue all wait equally long, so only the head can be due.
        while head := queue.head:
            wait_seconds = head[0].due_seconds - self.clock.monotonic_seconds()
            if wait_seconds > 0:
                await self.clock.sleep(wait_seconds)
                continue
            entry = head.popleft()
            if not self._dead_letter(queue, entry):
                head.appendleft(entry)
                await self.clock.sleep(_DEAD_LETTER_RETRY_SECONDS)
        # In the same step as the look at the queue: what comes next needs a new timer.
        self._timers.pop(queue.name, None)

    def _dead_letter(self, queue: MemoryQueue, entry: Entry) -> bool:
        """Pass *entry* on; return whether it may be dropped here."""
        target = queue.arguments.get("x-dead-letter-exchange")
        if target is None:
            return True
        key = str(queue.arguments.get("x-dead-letter-routing-key", entry.key))
        try:
            self.publish(Route(str(target), key), entry.message)
        except (UnroutableError, MailboxFullError):
            return queue.arguments.get("x-dead-letter-strategy") != "at-least-once"
        return True

    def _timer_ended(self, timer: asyncio.Task[None]) -> None:
        if timer.cancelled() or timer.exception() is None:
            return
        self._timers = {name: task for name, task in self._timers.items() if task is not timer}
        # Raises what the timer died of: the loop reports an error in a callback.
        timer.result()
