"""Getting a message to the broker: find the layout, compute the route, publish.

What belongs here: the one way by which client, turns and relay publish, so that layouts
are recorded and declared in one place. Order of entry is the order of calls for targets
whose layout is already known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from broker_actors.core import topology
from broker_actors.core.address import Address
from broker_actors.core.errors import (
    MailboxFullError,
    PlatformError,
    TopologyMismatchError,
    UnknownActorTypeError,
    UnroutableError,
)
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.reminders import name_in
from broker_actors.core.scheduled import Scheduled, entry_of
from broker_actors.core.topology import Layout, Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.clock import Clock
from broker_actors.ports.store import Store
from broker_actors.ports.transport import Transport

#: Dedicated mailboxes declared within one deadline of the transport.
DECLARED_AT_ONCE: Final = 100


class Dispatch:
    """Publishes outgoing messages."""

    def __init__(self, transport: Transport, store: Store, clock: Clock) -> None:
        self._transport = transport
        self._store = store
        self._clock = clock
        self._layouts: dict[str, Layout] = {}
        #: By type, and whether its class is here: who knows the class must not fail with who does not.
        self._settling: dict[tuple[str, bool], asyncio.Task[Layout]] = {}
        self._declaring = asyncio.Lock()
        self._common_declared = False
        self._dedicated_declared: set[str] = set()
        self._closed = False

    def known(self, actor_type: str) -> Layout | None:
        """Return the layout of *actor_type* if it was met before; never waits."""
        return self._layouts.get(actor_type)

    async def layout(self, actor_type: str, declared: Layout | None = None) -> Layout:
        """Return the layout of *actor_type*, recorded and declared.

        Args:
            actor_type: the type.
            declared: what its class declares; None when only its name is known.

        Raises:
            UnknownActorTypeError: nobody has recorded a layout and none is declared here.
            TopologyMismatchError: the recorded layout is not the declared one.
            PlatformError: the store or the broker is unavailable, or the actor system was closed.

        """
        layout = self._layouts.get(actor_type)
        if layout is None:
            layout = await self._settled(actor_type, declared)
        if declared is not layout:
            _check(layout, declared)
        return layout

    async def spawn(self, address: Address, declared: Layout | None) -> None:
        """Make the mailbox of *address* if its type has dedicated ones; idempotent.

        Raises:
            MailboxFullError: the type has as many dedicated actors as the store records.
            PlatformError: see `layout`.

        """
        layout = await self.layout(address.type, declared)
        if not layout.dedicated:
            return
        # Recorded before it is declared, so that no mailbox exists which no worker will ever consume;
        # a worker that finds the record first declares the mailbox itself.
        await self._store.spawn(address)
        await self._transport.declare(topology.dedicated(layout, address.id))

    async def declare_dedicated(self, layout: Layout, ids: Sequence[str]) -> None:
        """Make sure that the mailboxes of *ids* exist; each is declared once, whoever spawned it.

        The broker may have lost what the store still records.

        Raises:
            PlatformError: the broker is unavailable.

        """
        new = [actor_id for actor_id in ids if layout.mailbox_of(actor_id) not in self._dedicated_declared]
        for start in range(0, len(new), DECLARED_AT_ONCE):
            some = new[start : start + DECLARED_AT_ONCE]
            await self._transport.declare(
                declaration for actor_id in some for declaration in topology.dedicated(layout, actor_id)
            )
            self._dedicated_declared.update(layout.mailbox_of(actor_id) for actor_id in some)

    async def send(self, item: Outgoing) -> None:
        """Publish *item* and return when it is confirmed; a delayed tell that was cancelled is not.

        Raises:
            UnknownActorTypeError: it is for a type without a recorded layout.
            PlatformError: what `Transport.publish` raises.

        """
        if item.destination is Destination.DEAD:
            await self._bury(item)
            return
        layout = None
        if item.destination is Destination.MAILBOX:
            layout = self._layouts.get(item.actor_type) or await self.layout(item.actor_type)
        elif not self._common_declared:
            await self._declare_common()
        if item.destination is Destination.DELAY:
            entry = entry_of(item)
            # Listed first: what is on its way can always be found.
            if entry is not None and not await self._store.schedule(entry):
                return
        await self.publish(item.route(layout, self._clock.now_ms()), _stamped(item))

    async def publish(self, route: Route, message: WireMessage) -> None:
        """Publish *message* at *route* and return when it is confirmed; raises what the transport raises."""
        try:
            await self._transport.publish(route, message)
        except (UnroutableError, MailboxFullError) as error:
            raise _advised(error, route, message) from error

    async def publish_all(
        self, messages: Sequence[tuple[Route, WireMessage]]
    ) -> Sequence[PlatformError | None]:
        """Publish *messages* together, in order, and return what became of each; see the transport."""
        answers = await self._transport.publish_all(messages)
        return [
            None if answer is None else _advised(answer, route, message)
            for (route, message), answer in zip(messages, answers, strict=True)
        ]

    async def cancel(self, entry: Scheduled) -> bool:
        """See to it that the delayed tell, or the reminder, *entry* never runs; return whether that is so.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        if name := name_in(entry.key):
            return await self._store.forget_reminder(entry.address, name)
        return await self._store.cancel(entry)

    async def _bury(self, item: Outgoing) -> None:
        try:
            await self._transport.publish(topology.dead_route(item.actor_type), item.message)
        except UnroutableError:
            # No such type here: keep the letter where the broker keeps its own.
            await self._declare_common()
            await self._transport.publish(Route(topology.DEAD, topology.BROKER_KEY), item.message)

    async def close(self) -> None:
        """Cancel what is being declared; those who wait for it get `PlatformError`. Idempotent."""
        self._closed = True
        tasks = list(self._settling.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settled(self, actor_type: str, declared: Layout | None) -> Layout:
        key = (actor_type, declared is not None)
        task = self._settling.get(key)
        if task is None:
            # Closed for new ones only: what is already known may still be looked up.
            self._check_open(actor_type)
            task = self._start(key, declared)
        # Declaring may take longer than a short ask waits, and must not start over with each. Waited for
        # and not awaited: a cancelled caller leaves it alone, and its own end by `close` cancels no caller.
        await asyncio.wait([task])
        if task.cancelled():
            self._check_open(actor_type)
        return task.result()

    def _start(self, key: tuple[str, bool], declared: Layout | None) -> asyncio.Task[Layout]:
        actor_type, _ = key
        task = asyncio.create_task(self._settle(actor_type, declared))
        self._settling[key] = task

        def settled(done: asyncio.Task[Layout]) -> None:
            del self._settling[key]
            if not done.cancelled() and done.exception() is None:
                self._layouts[actor_type] = done.result()

        task.add_done_callback(settled)
        return task

    def _check_open(self, actor_type: str) -> None:
        if self._closed:
            text = f"the actor system was closed before actor type {actor_type} was looked up and declared"
            raise PlatformError(text)

    async def _settle(self, actor_type: str, declared: Layout | None) -> Layout:
        if declared is None:
            layout = await self._store.recorded_layout(actor_type)
            if layout is None:
                text = (
                    f"nobody has declared actor type {actor_type!r}: start its worker once, or use its class"
                )
                raise UnknownActorTypeError(text)
        else:
            _check(await self._store.layout(declared), declared)
            # The same, and known again without a comparison.
            layout = declared
        await self._declare_common()
        await self._transport.declare(topology.of(layout))
        return layout

    async def _declare_common(self) -> None:
        async with self._declaring:
            if not self._common_declared:
                await self._transport.declare(topology.common())
                self._common_declared = True


def _stamped(item: Outgoing) -> WireMessage:
    """Return the message of *item* with its due time, by which the relay knows one that comes early."""
    if item.destination is not Destination.DELAY:
        return item.message
    return replace(item.message, headers={**item.message.headers, "ba-due": item.due_ms})


def _check(layout: Layout, declared: Layout | None) -> None:
    if declared is not None and declared != layout:
        text = (
            f"actor type {layout.type} is recorded with {layout.partitions} partitions, generation "
            f"{layout.generation}; this class declares {declared.partitions} and {declared.generation}. "
            "Changing the layout of a type that has mailboxes is not supported: declare the recorded one"
        )
        raise TopologyMismatchError(text)


def _advised(error: PlatformError, route: Route, message: WireMessage) -> PlatformError:
    match error:
        case UnroutableError():
            return UnroutableError(f"{error}: {_advice(route)}")
        case MailboxFullError() if route.exchange == topology.ACTORS:
            return MailboxFullError(_full(route, message))
        case _:
            return error


def _full(route: Route, message: WireMessage) -> str:
    headers = message.headers
    return (
        f"mailbox {topology.ACTORS}.{route.key} is full and did not take {headers.get('ba-type')}/"
        f"{headers.get('ba-id')}.{message.type}: its workers are behind, or none runs (see `broker-actors "
        "mailboxes`). Send less or start more workers; with_options(wait_if_full=...) waits for room"
    )


def _advice(route: Route) -> str:
    if ".id." in route.key:
        return "a dedicated actor needs system.spawn(...) before its first message"
    return "the queue is missing; declare it again by restarting the worker of this type"
