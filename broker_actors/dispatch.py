"""Getting a message to the broker: find the layout, compute the route, publish.

What belongs here: the one way by which client, turns and relay publish, so that layouts
are recorded and declared in one place. Order of entry is the order of calls for targets
whose layout is already known.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from broker_actors.core import topology
from broker_actors.core.address import Address
from broker_actors.core.errors import (
    TopologyMismatchError,
    UnknownActorTypeError,
    UnroutableError,
)
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.topology import Layout, Route
from broker_actors.core.wire import WireMessage
from broker_actors.ports.clock import Clock
from broker_actors.ports.store import Store
from broker_actors.ports.transport import Transport


class Dispatch:
    """Publishes outgoing messages."""

    def __init__(self, transport: Transport, store: Store, clock: Clock) -> None:
        self._transport = transport
        self._store = store
        self._clock = clock
        self._layouts: dict[str, Layout] = {}
        self._settling: dict[str, asyncio.Task[Layout]] = {}
        self._declaring = asyncio.Lock()
        self._common_declared = False

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
            PlatformError: the store or the broker is unavailable.

        """
        layout = self._layouts.get(actor_type)
        if layout is None:
            # Shielded: declaring may take longer than a short ask waits, and must not start over with each.
            layout = await asyncio.shield(self._settling.get(actor_type) or self._start(actor_type, declared))
        _check(layout, declared)
        return layout

    async def spawn(self, address: Address, declared: Layout | None) -> None:
        """Make the mailbox of *address* if its type has dedicated ones; idempotent.

        Raises:
            PlatformError: see `layout`.

        """
        layout = await self.layout(address.type, declared)
        if not layout.dedicated:
            return
        # Declared before it is recorded, so that a worker never finds a mailbox that does not exist yet.
        await self._transport.declare(topology.dedicated(layout, address.id))
        await self._store.spawn(address)

    async def send(self, item: Outgoing) -> None:
        """Publish *item* and return when it is confirmed.

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
        await self.publish(item.route(layout, self._clock.now_ms()), _stamped(item))

    async def publish(self, route: Route, message: WireMessage) -> None:
        """Publish *message* at *route* and return when it is confirmed; raises what the transport raises."""
        try:
            await self._transport.publish(route, message)
        except UnroutableError as error:
            raise UnroutableError(f"{error}: {_advice(route)}") from error

    async def _bury(self, item: Outgoing) -> None:
        try:
            await self._transport.publish(topology.dead_route(item.actor_type), item.message)
        except UnroutableError:
            # No such type here: keep the letter where the broker keeps its own.
            await self._declare_common()
            await self._transport.publish(Route(topology.DEAD, topology.BROKER_KEY), item.message)

    async def close(self) -> None:
        """Cancel what is being declared. Idempotent."""
        tasks = list(self._settling.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, actor_type: str, declared: Layout | None) -> asyncio.Task[Layout]:
        task = asyncio.create_task(self._settle(actor_type, declared))
        self._settling[actor_type] = task

        def settled(done: asyncio.Task[Layout]) -> None:
            del self._settling[actor_type]
            if not done.cancelled() and done.exception() is None:
                self._layouts[actor_type] = done.result()

        task.add_done_callback(settled)
        return task

    async def _settle(self, actor_type: str, declared: Layout | None) -> Layout:
        if declared is None:
            layout = await self._store.recorded_layout(actor_type)
            if layout is None:
                text = (
                    f"nobody has declared actor type {actor_type!r}: start its worker once, or use its class"
                )
                raise UnknownActorTypeError(text)
        else:
            layout = await self._store.layout(declared)
            _check(layout, declared)
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


def _advice(route: Route) -> str:
    if ".id." in route.key:
        return "a dedicated actor needs system.spawn(...) before its first message"
    return "the queue is missing; declare it again by restarting the worker of this type"
