"""The ports of a worker that is to die: each call of the real adapters, and each delivery, is a spot.

A call is named `<port>.<method> <subject>`; the subject is the actor type it is about, or
the queue. So the spot of a test names what the package does, and nothing in the package
knows of it. Publishes leave one at a time, so that there is a moment between two of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from inspect import iscoroutinefunction
from typing import Any, Final

from broker_actors.adapters.rabbitmq.direct.deliveries import Deliveries
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.acks import AckPlan
from broker_actors.core.address import Address
from broker_actors.core.errors import MailboxFullError
from broker_actors.core.member import Member, Report
from broker_actors.core.topology import Route
from broker_actors.core.turn import Committed, Fenced
from broker_actors.core.wire import WireMessage
from broker_actors.ports.commit import Commit, OutboxKey
from broker_actors.ports.transport import Consumer, Delivery, OnDelivery
from tests.crash.fuse import Fuse, mark
from tests.integration.redis.proxy import Proxy

Call = Callable[[], Coroutine[Any, Any, Any]]
#: Loop passes in which what was queued is written to the socket.
PASSES: Final = 3
LOOK_SECONDS: Final = 0.01
#: Messages a test sends to the actor under test.
MESSAGES: Final = 2


def subject(thing: object) -> str:
    """Return what a call with the first argument *thing* is about."""
    match thing:
        case Address(type=name):
            return name
        case Commit(claim=claim):
            return claim.address.type
        case Route(exchange="actors", key=key):
            return key.partition(".")[0]
        case Route(exchange=exchange):
            return "delay" if ".delay." in exchange else exchange
        case str(mailbox) if ".g1." in mailbox:
            return mailbox.removeprefix("actors.").partition(".")[0]
        case str(queue) if queue.startswith("actors."):
            return queue
        case _:
            return ""


class Watched:
    """An adapter whose asynchronous calls are spots."""

    def __init__(self, name: str, port: object, fuse: Fuse) -> None:
        self._name = name
        self._port = port
        self._fuse = fuse

    def __getattr__(self, attribute: str) -> object:
        method = getattr(self._port, attribute)
        if not iscoroutinefunction(method):
            return method

        async def call(*args: object, **more: object) -> object:
            about = subject(args[0]) if args else ""
            return await self._reach(f"{attribute} {about}", lambda: method(*args, **more))

        return call

    async def _reach(self, call: str, act: Call) -> Any:  # noqa: ANN401 - whatever the adapter returns
        spot = f"{self._name}.{call}".strip()
        self._fuse.reach(spot, "before")
        acting = asyncio.ensure_future(act())
        if self._fuse.is_for(spot, "during"):
            for _ in range(PASSES):
                await asyncio.sleep(0)
            self._fuse.reach(spot, "during")
        result = await acting
        self._fuse.reach(spot, "after")
        return result


class WatchedStore(Watched):
    """A store; what is left over is found at once, and answers can be kept from this process."""

    def __init__(self, port: RedisStore, fuse: Fuse, proxy: Proxy, direct: RedisStore) -> None:
        super().__init__("store", port, fuse)
        self._store = port
        self._proxy = proxy
        self._direct = direct

    async def commit(self, commit: Commit) -> Committed | Fenced:
        """Commit; the phase `unanswered` is when the store has, and this process does not know."""
        spot = f"store.commit {subject(commit)}"
        if self._fuse.is_for(spot, "unanswered"):
            self._proxy.silent = True
            for pipe in self._proxy.pipes:
                pipe.swallow_answers()
            committing = asyncio.ensure_future(self._store.commit(commit))
            while not await self._has(commit):  # noqa: ASYNC110 - only the store knows
                await asyncio.sleep(LOOK_SECONDS)
            assert not committing.done(), "an answer got through"
            self._fuse.reach(spot, "unanswered")
        result: Committed | Fenced = await self._reach(
            f"commit {subject(commit)}", lambda: self._store.commit(commit)
        )
        return result

    async def _has(self, commit: Commit) -> bool:
        found = await self._direct.peek(commit.claim.address)
        return found is not None and found.version > commit.version

    async def dispatched(self, address: Address, keys: Sequence[OutboxKey]) -> None:
        """Forget items; to forget none is no spot."""
        act = self._store.dispatched(address, keys)
        await (self._reach(f"dispatched {address.type}", lambda: act) if keys else act)

    async def undispatched(self, actor_type: str, *, older_than_seconds: float) -> Sequence[Address]:
        """Return what is left over, however young."""
        assert older_than_seconds
        return await self._store.undispatched(actor_type, older_than_seconds=0)


class WatchedTransport(Watched):
    """A broker; with *refuses*, `Back` takes nothing until every turn of `Front` is acknowledged."""

    def __init__(self, port: object, fuse: Fuse, *, refuses: bool) -> None:
        super().__init__("broker", port, fuse)
        self._refuses = refuses
        self._acked = 0
        self._one_at_a_time = asyncio.Lock()
        self._reach_written()

    async def publish(self, route: Route, message: WireMessage) -> None:
        """Publish when the one before is confirmed."""
        about = subject(route)
        if self._refuses and about == "Back" and self._acked < MESSAGES:
            raise MailboxFullError(about)
        act: Any = getattr(self._port, "publish")  # noqa: B009 - the port is an object here
        async with self._one_at_a_time:
            await self._reach(f"publish {about}", lambda: act(route, message))

    async def consume(self, mailbox: str, on_delivery: OnDelivery, *, prefetch: int) -> Consumer:
        """Consume; a delivery and its acknowledgement are spots."""
        about = subject(mailbox)

        def deliver(delivery: Delivery) -> None:
            self._fuse.reach(f"broker.deliver {about}", "before")
            on_delivery(_WatchedDelivery(delivery, about, self._fuse, self._noted))

        act: Any = getattr(self._port, "consume")  # noqa: B009 - the port is an object here
        consumer = await self._reach(f"consume {about}", lambda: act(mailbox, deliver, prefetch=prefetch))
        return _WatchedConsumer(consumer, about, self._fuse)

    def _reach_written(self) -> None:
        """Have the phase `during` of an `ack` reached a few loop passes after it was given to the socket."""
        adapter: Any = Deliveries
        acknowledge: Callable[[Deliveries, AckPlan], None] = adapter.acknowledge

        def noting(deliveries: Any, plan: AckPlan) -> None:  # noqa: ANN401 - its mailbox is its own
            acknowledge(deliveries, plan)
            if plan != AckPlan(0, ()):
                self._later(f"broker.ack {subject(deliveries._mailbox)}", PASSES)

        adapter.acknowledge = noting

    def _later(self, spot: str, passes: int) -> None:
        if passes:
            asyncio.get_running_loop().call_soon(self._later, spot, passes - 1)
        else:
            self._fuse.reach(spot, "during")

    def _noted(self, about: str) -> None:
        self._acked += about == "Front"


class WatchedMembers(Watched):
    """Membership; says when this worker is about to give up its mailbox."""

    def __init__(self, port: object, fuse: Fuse) -> None:
        super().__init__("members", port, fuse)
        self._moves = 0

    async def beat(self, member: Member, report: Report) -> Sequence[Member]:
        """Beat; `move` is when a hand-over has begun, `stop` when everybody knows of the end."""
        act: Any = getattr(self._port, "beat")  # noqa: B009 - the port is an object here
        living: Sequence[Member] = await self._reach("beat", lambda: act(member, report))
        if member.leaving:
            mark("let go")
            self._fuse.reach("stop", "during")
        others = [one for one in living if one.name != member.name]
        if any("actors.Front.g1.0" in one.consuming for one in others):
            self._moves += 1
        if self._moves > 1:
            # What the first such beat showed has been acted upon since.
            mark("let go")
            self._fuse.reach("move", "during")
        return living


class _WatchedDelivery:
    """A delivery whose acknowledgement is a spot."""

    def __init__(self, delivery: Delivery, about: str, fuse: Fuse, on_ack: Callable[[str], None]) -> None:
        self.message = delivery.message
        self.redelivered = delivery.redelivered
        self.mailbox = delivery.mailbox
        self._delivery = delivery
        self._about = about
        self._fuse = fuse
        self._on_ack = on_ack

    def ack(self) -> None:
        """Acknowledge; the phase `after` is before anything is written, `during` when it has been."""
        spot = f"broker.ack {self._about}"
        self._fuse.reach(spot, "before")
        self._delivery.ack()
        self._on_ack(self._about)
        self._fuse.reach(spot, "after")


class _WatchedConsumer:
    """A consumer whose end is a spot."""

    def __init__(self, consumer: Consumer, about: str, fuse: Fuse) -> None:
        self._consumer = consumer
        self._about = about
        self._fuse = fuse

    async def closed(self) -> str:
        """Return why it ended."""
        return await self._consumer.closed()

    async def close(self) -> None:
        """End it."""
        self._fuse.reach(f"broker.close {self._about}", "before")
        await self._consumer.close()
        self._fuse.reach(f"broker.close {self._about}", "after")
