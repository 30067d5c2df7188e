"""The ports of one node: the memory adapters behind a gate where everything may go wrong.

Every call may crash its node before and after its effect, and may have any fate `faults`
knows for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from broker_actors.adapters.memory.consumer import MemoryConsumer
from broker_actors.adapters.memory.replies import MemoryReplies
from broker_actors.adapters.memory.transport import MemoryTransport
from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.errors import (
    BrokerUnavailableError,
    MailboxFullError,
    PlatformError,
    StoreUnavailableError,
)
from broker_actors.core.member import Member, Report
from broker_actors.core.past import Past
from broker_actors.core.reply import Reply
from broker_actors.core.scheduled import Scheduled
from broker_actors.core.suspension import Suspension
from broker_actors.core.topology import Declaration, Layout, Route
from broker_actors.core.turn import Committed, Conflict, Duplicate, Fenced, Fresh
from broker_actors.core.wire import WireMessage
from broker_actors.ports.commit import Claim, Commit, OutboxKey
from broker_actors.ports.listing import Summary
from broker_actors.ports.observer import Observer
from broker_actors.ports.parking import PARKED_READ_MAX
from broker_actors.ports.replies import OnLoss, OnReply, ReplyChannel
from broker_actors.ports.store import CHARGES_MAX, Snapshot
from broker_actors.ports.transport import Delivery, Depth, OnDelivery
from tests.simulation.faults import Fate
from tests.simulation.loop import NODE
from tests.simulation.world import World

T = TypeVar("T")
Act = Callable[[], Coroutine[Any, Any, T]]


class Gate:
    """The way of one node to one server."""

    def __init__(self, world: World, down: type[PlatformError]) -> None:
        self.world = world
        self._down = down

    async def crash_point(self, call: str, phase: str) -> None:
        """Crash here, if that is the plan; a node that has crashed gets no further."""
        self.world.loop.check()
        if self.world.crashes_here(call, phase) or self.world.loop.is_gone(NODE.get()):
            await asyncio.get_running_loop().create_future()

    async def through(self, call: str, act: Act[T], gone: Callable[[], None] | None = None) -> T:
        """Return what *act* returns, or raise what a lost server raises; *gone* undoes the effect."""
        await self.crash_point(call, "before")
        fate = self.fate(call)
        await self.on_the_way(call, fate, act)
        result = await act()
        if fate is Fate.TWICE:
            result = await act()
        if fate is Fate.GONE and gone is not None:
            gone()
        await self.crash_point(call, "after")
        await self.on_the_way_back(call, fate)
        return result

    def fate(self, call: str) -> Fate:
        """Return what becomes of *call*."""
        fate = self.world.faults.fate(call)
        if fate is not Fate.FINE:
            self.world.fates[call, fate] += 1
            self.world.note("fault", call, fate.value)
        return fate

    async def on_the_way(self, call: str, fate: Fate, act: Act[T]) -> None:
        """Be late, or fail before the effect."""
        world = self.world
        match fate:
            case Fate.REFUSED:
                await asyncio.sleep(world.random.random())
                raise self._down(f"{call}: no answer")
            case Fate.LATE:
                seconds = world.slow_seconds()
                await asyncio.sleep(seconds / 2)
                world.later(seconds / 2, act)
                raise self._down(f"{call}: no answer yet")
            case Fate.SLOW if world.random.random() < 0.5:
                await asyncio.sleep(world.slow_seconds())
            case _:
                return

    async def on_the_way_back(self, call: str, fate: Fate) -> None:
        """Be late, or fail after the effect."""
        match fate:
            case Fate.LOST:
                await asyncio.sleep(self.world.random.random())
                raise self._down(f"{call}: the answer was lost")
            case Fate.SLOW:
                await asyncio.sleep(self.world.slow_seconds())
            case _:
                return


class StoreGate(Gate):
    """The way of one node to the store: a call under way when that comes to run anew has no answer."""

    def __init__(self, world: World) -> None:
        super().__init__(world, StoreUnavailableError)

    async def through(self, call: str, act: Act[T], gone: Callable[[], None] | None = None) -> T:
        """Return what *act* returns, or raise what a lost server raises."""
        run = self.world.store.run
        result = await super().through(call, act, gone)
        if self.world.store.run != run:
            raise StoreUnavailableError(f"{call}: the connection was lost")
        return result


class SimDelivery:
    """Implements `ports.transport.Delivery`."""

    __slots__ = ("_inner", "_world", "mailbox", "message", "redelivered")

    def __init__(self, inner: Delivery, world: World) -> None:
        self._inner = inner
        self._world = world
        self.message = inner.message
        self.redelivered = inner.redelivered
        self.mailbox = inner.mailbox

    def ack(self) -> None:
        """Let the broker forget the message, unless the node dies of it."""
        if not (self._world.loop.is_gone(NODE.get()) or self._world.crashes_here("broker.ack", "before")):
            self._inner.ack()
            self._world.crashes_here("broker.ack", "after")


class SimConsumer:
    """Implements `ports.transport.Consumer`; its place in a set does not depend on its address."""

    def __init__(self, inner: MemoryConsumer, gate: Gate, number: int) -> None:
        self._inner = inner
        self._gate = gate
        self._number = number

    def __hash__(self) -> int:
        """Return the order of its making."""
        return self._number

    def __eq__(self, other: object) -> bool:
        """Return whether it is this very consumer."""
        return self is other

    async def closed(self) -> str:
        """Return why it ended."""
        return await self._inner.closed()

    async def close(self) -> None:
        """End it."""
        await self._gate.through("broker.close", self._inner.close)

    def lose(self, why: str) -> None:
        """Let the broker end it."""
        self._inner.lose(why)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._inner.ended


class SimTransport:
    """Implements `ports.transport.Transport`."""

    def __init__(self, world: World, node: str) -> None:
        self._inner = MemoryTransport(world.broker)
        self._gate = Gate(world, BrokerUnavailableError)
        self._world = world
        self._consumers_made = 0
        #: Those that were opened, in order.
        self.consumers: list[SimConsumer] = []
        world.transports[node] = self._inner

    async def declare(self, declarations: Iterable[Declaration]) -> None:
        """See the port."""
        wanted = list(declarations)
        await self._gate.through("broker.declare", lambda: self._inner.declare(wanted))

    async def publish(self, route: Route, message: WireMessage) -> None:
        """See the port. What is fine enters in the order of calls."""
        gate, world = self._gate, self._world
        await gate.crash_point("broker.publish", "before")
        fate = gate.fate("broker.publish")
        world.note_sent(message, fate)
        match fate:
            case Fate.FULL:
                await asyncio.sleep(0)
                raise MailboxFullError("simulated: full")
            case Fate.RESENT:
                world.resent.append(message.body)
                await asyncio.sleep(world.slow_seconds())
            case Fate.REFUSED | Fate.LATE:
                await gate.on_the_way("broker.publish", fate, lambda: self._late(route, message))
            case Fate.TWICE:
                world.later(world.slow_seconds(), lambda: self._late(route, message))
            case _:
                pass
        await self._inner.publish(route, message)
        await gate.crash_point("broker.publish", "after")
        await gate.on_the_way_back("broker.publish", fate)

    async def publish_all(
        self, messages: Sequence[tuple[Route, WireMessage]]
    ) -> Sequence[PlatformError | None]:
        """See the port. Each has a fate of its own."""
        publishing = (self.publish(route, message) for route, message in messages)
        return [_answer(one) for one in await asyncio.gather(*publishing, return_exceptions=True)]

    async def consume(self, mailbox: str, on_delivery: OnDelivery, *, prefetch: int) -> SimConsumer:
        """See the port."""

        def receive(delivery: Delivery) -> None:
            on_delivery(SimDelivery(delivery, self._world))

        inner = await self._gate.through(
            "broker.consume", lambda: self._inner.consume(mailbox, receive, prefetch=prefetch)
        )
        self._consumers_made += 1
        consumer = SimConsumer(inner, self._gate, self._consumers_made)
        self.consumers = [*(one for one in self.consumers if not one.ended), consumer]
        return consumer

    async def depth(self, mailbox: str) -> Depth:
        """See the port."""
        return await self._gate.through("broker.depth", lambda: self._inner.depth(mailbox))

    async def close(self) -> None:
        """See the port."""
        await self._inner.close()

    async def _late(self, route: Route, message: WireMessage) -> None:
        self._world.broker.publish(route, message)


class SimStorePort:
    """Implements `ports.store.Store`."""

    def __init__(self, world: World) -> None:
        self._inner = world.store
        self._world = world
        self._gate = StoreGate(world)

    async def origin(self) -> str:
        """See the port."""
        return await self._gate.through("store.origin", self._inner.origin)

    async def pasts(self, addresses: Sequence[Address]) -> Sequence[Past]:
        """See the port."""
        return await self._gate.through("store.pasts", lambda: self._inner.pasts(addresses))

    async def layout(self, wanted: Layout) -> Layout:
        """See the port."""
        return await self._gate.through("store.layout", lambda: self._inner.layout(wanted))

    async def recorded_layout(self, actor_type: str) -> Layout | None:
        """See the port."""
        return await self._gate.through(
            "store.recorded_layout", lambda: self._inner.recorded_layout(actor_type)
        )

    async def types(self) -> Sequence[str]:
        """See the port."""
        return await self._inner.types()

    async def spawn(self, address: Address) -> None:
        """See the port."""
        await self._inner.spawn(address)

    async def spawned(self, actor_type: str) -> Sequence[str]:
        """See the port."""
        return await self._inner.spawned(actor_type)

    async def claim(self, address: Address, nonce: str) -> Claim:
        """See the port."""
        claim = await self._gate.through("store.claim", lambda: self._inner.claim(address, nonce))
        self._world.learn(address, claim.version)
        return claim

    async def look_up(self, address: Address, key: str, digest: bytes) -> Fresh | Duplicate | Conflict:
        """See the port."""
        return await self._gate.through("store.look_up", lambda: self._inner.look_up(address, key, digest))

    async def accepted(self, address: Address, sender: str) -> Accepted | None:
        """See the port."""
        return await self._gate.through("store.accepted", lambda: self._inner.accepted(address, sender))

    async def answered(self, address: Address, sender: str, seq: int) -> Reply | None:
        """See the port."""
        return await self._gate.through("store.answered", lambda: self._inner.answered(address, sender, seq))

    async def sections(self, address: Address, turn: str) -> int:
        """See the port."""
        return await self._gate.through("store.sections", lambda: self._inner.sections(address, turn))

    async def commit(self, commit: Commit) -> Committed | Fenced:
        """See the port."""
        result = await self._gate.through("store.commit", lambda: self._inner.commit(commit))
        if isinstance(result, Committed) and commit.writes:
            self._world.learn(commit.claim.address, commit.version + 1)
        return result

    async def dispatched(self, address: Address, keys: Sequence[OutboxKey]) -> None:
        """See the port."""
        await self._gate.through("store.dispatched", lambda: self._inner.dispatched(address, keys))

    async def outbox(self, address: Address) -> Mapping[OutboxKey, bytes]:
        """See the port."""
        return await self._gate.through("store.outbox", lambda: self._inner.outbox(address))

    async def undispatched(self, actor_type: str, *, older_than_seconds: float) -> Sequence[Address]:
        """See the port."""
        return await self._gate.through(
            "store.undispatched",
            lambda: self._inner.undispatched(actor_type, older_than_seconds=older_than_seconds),
        )

    async def parking(
        self, address: Address, *, start: int = 0, limit: int = PARKED_READ_MAX
    ) -> Sequence[bytes]:
        """See the port."""
        return await self._gate.through(
            "store.parking", lambda: self._inner.parking(address, start=start, limit=limit)
        )

    async def parked(self, actor_type: str, *, due_before_ms: int) -> Sequence[Address]:
        """See the port."""
        return await self._gate.through(
            "store.parked", lambda: self._inner.parked(actor_type, due_before_ms=due_before_ms)
        )

    async def parked_bytes(self, actor_type: str) -> int:
        """See the port."""
        return await self._inner.parked_bytes(actor_type)

    async def make_due(self, address: Address, due_ms: int) -> None:
        """See the port."""
        await self._inner.make_due(address, due_ms)

    async def suspended(self, actor_type: str) -> Sequence[tuple[Address, Suspension]]:
        """See the port."""
        return await self._inner.suspended(actor_type)

    async def schedule(self, entry: Scheduled) -> bool:
        """See the port."""
        return await self._gate.through("store.schedule", lambda: self._inner.schedule(entry))

    async def arrived(self, entry: Scheduled) -> bool:
        """See the port."""
        return await self._gate.through("store.arrived", lambda: self._inner.arrived(entry))

    async def cancel(self, entry: Scheduled) -> bool:
        """See the port."""
        return await self._gate.through("store.cancel", lambda: self._inner.cancel(entry))

    async def schedules(self, actor_type: str, *, limit: int = 1_000) -> Sequence[Scheduled]:
        """See the port."""
        return await self._inner.schedules(actor_type, limit=limit)

    async def reminder(self, address: Address, name: str) -> bytes | None:
        """See the port."""
        return await self._gate.through("store.reminder", lambda: self._inner.reminder(address, name))

    async def reminders(self, address: Address) -> Mapping[str, bytes]:
        """See the port."""
        return await self._inner.reminders(address)

    async def forget_reminder(self, address: Address, name: str) -> bool:
        """See the port."""
        return await self._inner.forget_reminder(address, name)

    async def all_reminders(
        self, actor_type: str, *, limit: int = 1_000, due_before_ms: int | None = None
    ) -> Sequence[tuple[Address, str, bytes]]:
        """See the port."""
        return await self._inner.all_reminders(actor_type, limit=limit, due_before_ms=due_before_ms)

    async def charge(self, address: Address, identity: str, *, at_most: int = CHARGES_MAX) -> int:
        """See the port."""
        return await self._gate.through(
            "store.charge", lambda: self._inner.charge(address, identity, at_most=at_most)
        )

    async def discharge(self, address: Address, identity: str, *, keep: int = 0) -> None:
        """See the port."""
        await self._gate.through(
            "store.discharge", lambda: self._inner.discharge(address, identity, keep=keep)
        )

    async def actors(self, actor_type: str, *, after: str = "", limit: int = 1_000) -> Sequence[Summary]:
        """See the port."""
        return await self._inner.actors(actor_type, after=after, limit=limit)

    async def peek(self, address: Address) -> Snapshot | None:
        """See the port."""
        return await self._inner.peek(address)

    async def close(self) -> None:
        """See the port."""


class SimReplies:
    """Implements `ports.replies.Replies`."""

    def __init__(self, world: World, observer: Observer) -> None:
        self._inner = MemoryReplies(world.channels, observer)
        self._channels = world.channels
        self._gate = Gate(world, StoreUnavailableError)

    async def send(self, reply_to: str, correlation_id: str, reply: Reply) -> bool:
        """See the port."""
        return await self._gate.through(
            "replies.send",
            lambda: self._inner.send(reply_to, correlation_id, reply),
            lambda: self._channels.remove(reply_to),
        )

    async def open(self, name: str, on_reply: OnReply, on_loss: OnLoss) -> ReplyChannel:
        """See the port."""
        return await self._gate.through("replies.open", lambda: self._inner.open(name, on_reply, on_loss))

    async def close(self) -> None:
        """See the port."""
        await self._inner.close()


class SimMembers:
    """Implements `ports.members.Members`."""

    def __init__(self, world: World) -> None:
        self._inner = world.members
        self._gate = Gate(world, StoreUnavailableError)

    async def beat(self, member: Member, report: Report) -> Sequence[Member]:
        """See the port."""
        return await self._gate.through("members.beat", lambda: self._inner.beat(member, report))

    async def leave(self, name: str) -> None:
        """See the port."""
        await self._gate.through("members.leave", lambda: self._inner.leave(name))

    async def everyone(self) -> Sequence[tuple[Member, Report]]:
        """See the port."""
        return await self._inner.everyone()

    async def hold(self, mailbox: str, name: str) -> bool:
        """See the port."""
        return await self._gate.through("members.hold", lambda: self._inner.hold(mailbox, name))

    async def release(self, mailbox: str, name: str) -> None:
        """See the port."""
        await self._gate.through("members.release", lambda: self._inner.release(mailbox, name))

    async def close(self) -> None:
        """See the port."""


def _answer(answer: BaseException | None) -> PlatformError | None:
    if answer is None or isinstance(answer, PlatformError):
        return answer
    raise answer
