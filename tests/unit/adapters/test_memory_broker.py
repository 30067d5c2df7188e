"""What only the in-process broker promises: virtual time, owners of its steps, losses on demand."""

from __future__ import annotations

import asyncio
import random
from contextvars import ContextVar, copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.exchanges import topic_matches
from broker_actors.adapters.memory.transport import MemoryBroker, MemoryTransport
from broker_actors.core import topology
from broker_actors.core.errors import BrokerUnavailableError
from broker_actors.core.topology import Queue
from broker_actors.ports.transport import Delivery
from tests.conformance.transport.brokers import (
    HANG_SECONDS,
    TO_MAILBOX,
    Inbox,
    bodies,
    declare_mailbox,
    message,
    publish_all,
    read,
)


class ManualClock(SystemClock):
    """Time that only goes when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.now_seconds = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic_seconds(self) -> float:
        return self.now_seconds

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now_seconds + seconds, waker))
        await waker

    async def advance(self, seconds: float) -> None:
        """Let *seconds* go by, and everything that happens in them."""
        until_seconds = self.now_seconds + seconds
        while True:
            await settle()
            self._sleepers = [(due, waker) for due, waker in self._sleepers if not waker.done()]
            due_seconds, waker = min(self._sleepers, key=lambda s: s[0], default=(float("inf"), None))
            if waker is None or due_seconds > until_seconds:
                break
            self.now_seconds = due_seconds
            waker.set_result(None)
        self.now_seconds = until_seconds


class ShufflingClock(SystemClock):
    """Wakes those who let others go first in any order."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)  # noqa: S311 - a test's dice
        self._waiting: list[asyncio.Future[None]] = []

    async def sleep(self, seconds: float) -> None:
        assert seconds == 0
        loop = asyncio.get_running_loop()
        waker: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waker)
        loop.call_later(0.001, self._wake_one)
        await waker

    def _wake_one(self) -> None:
        waker = self._waiting.pop(self._random.randrange(len(self._waiting)))
        if not waker.done():
            waker.set_result(None)


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_delays_follow_the_given_clock() -> None:
    clock = ManualClock()
    transport = MemoryTransport(MemoryBroker(clock))
    await transport.declare(topology.common())
    await transport.consume(topology.DUE, inbox := Inbox(acks=True), prefetch=10)
    for seconds in (100_000, 5, 1):
        await transport.publish(topology.delay_route(seconds), message(seconds))
    await clock.advance(0.999)
    assert inbox.bodies == []
    await clock.advance(0.001)
    assert inbox.bodies == [b"1"]
    await clock.advance(3.999)
    assert inbox.bodies == [b"1"]
    await clock.advance(0.001)
    assert inbox.bodies == [b"1", b"5"]
    await clock.advance(99_995)
    assert inbox.bodies == [b"1", b"5", b"100000"]
    await transport.close()


@given(delays_seconds=st.lists(st.integers(1, 5_000), min_size=1, max_size=12))
def test_every_delay_ends_on_its_second(delays_seconds: list[int]) -> None:
    async def scenario() -> list[tuple[int, float]]:
        clock = ManualClock()
        transport = MemoryTransport(MemoryBroker(clock))
        await transport.declare(topology.common())
        seen: list[tuple[int, float]] = []

        def receive(delivery: Delivery) -> None:
            seen.append((int(delivery.message.body), clock.now_seconds))
            delivery.ack()

        await transport.consume(topology.DUE, receive, prefetch=10)
        for seconds in delays_seconds:
            await transport.publish(topology.delay_route(seconds), message(seconds))
        await clock.advance(max(delays_seconds))
        await settle()
        await transport.close()
        return seen

    assert asyncio.run(scenario()) == [(seconds, seconds) for seconds in sorted(delays_seconds)]


async def test_what_is_due_while_nobody_is_connected_arrives_with_the_next_connection() -> None:
    clock = ManualClock()
    broker = MemoryBroker(clock)
    first = MemoryTransport(broker)
    await first.declare(topology.common())
    await first.publish(topology.delay_route(2), message("later"))
    await first.close()
    await clock.advance(10)
    second = MemoryTransport(broker)
    await second.consume(topology.DUE, inbox := Inbox(acks=True), prefetch=1)
    await clock.advance(0)
    assert inbox.bodies == [b"later"]
    await second.close()


async def test_closing_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    transport = MemoryTransport(MemoryBroker(SystemClock()))
    await transport.declare(topology.common())
    await publish_all(transport, range(20), topology.delay_route(1_000))
    await transport.consume(topology.DUE, Inbox(), prefetch=1)
    assert asyncio.all_tasks() != before
    await transport.close()
    assert asyncio.all_tasks() == before


async def test_an_expired_message_nobody_takes_is_kept() -> None:
    clock = ManualClock()
    transport = MemoryTransport(MemoryBroker(clock))
    await transport.declare([
        Queue("waiting", {
            "x-message-ttl": 1_000, "x-dead-letter-exchange": "main", "x-dead-letter-routing-key": "box",
            "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
        }),
    ])  # fmt: skip
    await transport.publish(topology.Route("", "waiting"), message("kept"))
    await clock.advance(5)
    await declare_mailbox(transport)
    await transport.consume("box", inbox := Inbox(acks=True), prefetch=1)
    await clock.advance(1)
    assert inbox.bodies == [b"kept"]
    await transport.close()


@pytest.mark.parametrize("seed", range(20))
async def test_publishes_keep_their_order_in_whatever_order_tasks_wake(seed: int) -> None:
    transport = MemoryTransport(MemoryBroker(ShufflingClock(seed)))
    await declare_mailbox(transport)
    tasks = [asyncio.create_task(transport.publish(TO_MAILBOX, message(n))) for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks[seed % 5 :: 7]:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    await transport.consume("box", inbox := Inbox(acks=True), prefetch=100)
    await publish_all(transport, ["end"])
    await inbox.wait_for(sum(error is None for error in ended) + 1)
    arrived = [int(body) for body in inbox.bodies[:-1]]
    assert arrived == sorted(arrived)
    assert {n for n, error in enumerate(ended) if error is None} <= set(arrived)
    await transport.close()


async def test_steps_of_a_consumer_run_in_the_context_that_opened_it() -> None:
    node: ContextVar[str] = ContextVar("node", default="nobody")
    broker = MemoryBroker(SystemClock())
    publisher, receiver = MemoryTransport(broker), MemoryTransport(broker)
    await declare_mailbox(publisher)
    seen: list[str] = []
    arrived = asyncio.Event()

    def receive(delivery: Delivery) -> None:
        seen.append(node.get())
        delivery.ack()
        arrived.set()

    async def open_as_receiver() -> None:
        node.set("receiver")
        await receiver.consume("box", receive, prefetch=1)

    await asyncio.create_task(open_as_receiver(), context=copy_context())
    node.set("publisher")
    await publisher.publish(TO_MAILBOX, message("x"))
    async with asyncio.timeout(HANG_SECONDS):
        await arrived.wait()
    assert seen == ["receiver"]
    await receiver.close()
    await publisher.close()


async def test_a_lost_connection_loses_acks_on_their_way() -> None:
    broker = MemoryBroker(SystemClock())
    lost, other = MemoryTransport(broker), MemoryTransport(broker)
    await declare_mailbox(lost)
    await publish_all(lost, range(3))
    consumer = await lost.consume("box", inbox := Inbox(), prefetch=2)
    await inbox.wait_for(2)
    inbox.deliveries[0].ack()
    lost.lose_connection("unplugged")
    assert await consumer.closed() == "unplugged"
    assert await read(other, "box", 3) == bodies(range(3))
    await lost.close()
    await other.close()


async def test_deleting_a_queue_cancels_its_consumers() -> None:
    broker = MemoryBroker(SystemClock())
    transport = MemoryTransport(broker)
    await declare_mailbox(transport)
    consumer = await transport.consume("box", inbox := Inbox(), prefetch=2)
    await publish_all(transport, range(2))
    await inbox.wait_for(2)
    broker.delete("box")
    assert "deleted" in await consumer.closed()
    inbox.deliveries[0].ack()
    await declare_mailbox(transport)
    await publish_all(transport, ["new"])
    assert await read(transport, "box", 1) == [b"new"]
    await transport.close()


async def test_closing_fails_what_is_on_its_way() -> None:
    transport = MemoryTransport(MemoryBroker(SystemClock()))
    await declare_mailbox(transport)
    publishing = asyncio.create_task(transport.publish(TO_MAILBOX, message("late")))
    await asyncio.sleep(0)
    await transport.close()
    with pytest.raises(BrokerUnavailableError):
        await publishing


async def test_a_publisher_may_change_its_headers_afterwards() -> None:
    transport = MemoryTransport(MemoryBroker(SystemClock()))
    await declare_mailbox(transport)
    sent = message("x", n=1)
    headers = dict(sent.headers)
    mutable = message("x", **headers)
    await transport.publish(TO_MAILBOX, mutable)
    assert isinstance(mutable.headers, dict)
    mutable.headers["n"] = 2
    await transport.consume("box", inbox := Inbox(acks=True), prefetch=1)
    await inbox.wait_for(1)
    assert dict(inbox.deliveries[0].message.headers) == headers
    await transport.close()


def matches_by_recursion(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(matches_by_recursion(pattern[1:], words[n:]) for n in range(len(words) + 1))
    return bool(words) and pattern[0] in {"*", words[0]} and matches_by_recursion(pattern[1:], words[1:])


@given(
    pattern=st.lists(st.sampled_from(["*", "#", "0", "1"]), max_size=6),
    words=st.lists(st.sampled_from(["0", "1", "2"]), max_size=6),
)
def test_topic_patterns_match_as_by_the_book(pattern: list[str], words: list[str]) -> None:
    assert topic_matches(pattern, words) is matches_by_recursion(pattern, words)
