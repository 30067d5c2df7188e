"""Calls without a key take effect once: senders number what they send, and actors know what they took."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from broker_actors import ActorSystem, AskTimeoutError, Settings
from broker_actors.client.client import UNCONFIRMED_MAX
from broker_actors.core.address import Address
from broker_actors.core.body import encode
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.events import TurnEnded
from broker_actors.core.reply import Reply, read
from broker_actors.core.topology import Layout
from broker_actors.ports.transport import Delivery
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef
from tests.acceptance.watching import HANG_SECONDS

pytestmark = pytest.mark.embedded_first

ROUTES = Layout("Counter", partitions=2)


def numbered(seq: int, *, low: int = 1, sender: str = "web") -> Envelope:
    """Return one of the envelopes a client sends to increment c1."""
    return Envelope(Address("Counter", "c1"), "increment", encode([1], {}), sender=sender, seq=seq, low=low)


async def publish(deployment: Deployment, *envelopes: Envelope) -> None:
    """Send *envelopes* as they are, one after the other."""
    system = await deployment.system()
    for one in envelopes:
        await system.backend.transport.publish(ROUTES.route_to(one.address), to_wire(one))


async def test_a_tell_that_arrives_again_has_no_effect_also_in_another_worker(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(deployment, numbered(1), numbered(2), numbered(1))
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "duplicate")
    async with deployment.worker(Counter):
        await publish(deployment, numbered(2), numbered(3))
        assert await system.ref(CounterRef, "c1").get() == 3


async def test_calls_made_together_run_in_the_order_in_which_they_were_made(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        await counter.get()
        calls = (counter.increment(1), counter.increment.tell(2), counter.increment(3), counter.get())
        assert list(await asyncio.gather(*calls)) == [1, None, 6, 6]


async def test_a_number_that_comes_late_is_no_duplicate(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(deployment, numbered(1), numbered(3, low=3), numbered(2, low=3))
        assert await system.ref(CounterRef, "c1").get() == 3


async def test_an_ask_that_arrives_again_is_answered_as_it_was(deployment: Deployment) -> None:
    system = await deployment.system()
    replies: list[Reply] = []
    enough = asyncio.Event()

    def on_reply(_correlation_id: str, reply: Reply) -> None:
        replies.append(reply)
        if len(replies) == 2:
            enough.set()

    channel = await system.backend.replies.open("caller", on_reply, lambda: None)
    asks = replace(numbered(1), reply_to=channel.name, correlation_id="1")
    async with deployment.worker(Counter):
        await publish(deployment, asks, numbered(2), asks)
        async with asyncio.timeout(HANG_SECONDS):
            await enough.wait()
        assert await system.ref(CounterRef, "c1").get() == 2
    assert [read(reply) for reply in replies] == [1, 1]
    await channel.close()


async def test_a_failing_tell_that_arrives_again_is_not_tried_again_beside_its_retry(
    deployment: Deployment,
) -> None:
    failing = replace(numbered(1), method="fail_before", body=encode([3], {}))
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(deployment, failing, failing)
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "duplicate")
        assert await system.ref(CounterRef, "c1").get() == 1


async def test_an_ask_whose_reply_channel_was_lost_is_sent_again_and_answered_as_it_was(
    amqp_url: str, redis_url: str
) -> None:
    async with AsyncExitStack() as stack:
        deployment = Deployment(Settings(url=amqp_url, redis_url=redis_url), None, stack)
        system = await deployment.system()
        async with deployment.worker(Counter):
            assert await system.ref(CounterRef, "c1").increment() == 1
        asking = asyncio.ensure_future(system.ref(CounterRef, "c1").increment())
        async with asyncio.timeout(HANG_SECONDS):
            while not await waiting(system):  # noqa: ASYNC110 - a queue is asked for its length, it tells nobody
                await asyncio.sleep(0.01)
        async with Redis.from_url(redis_url) as redis:
            assert await redis.delete(f"ba:reply:{system.client.reply_channel}") == 1
        async with deployment.worker(Counter):
            assert await asking == 2
            assert await system.ref(CounterRef, "c1").get() == 2


async def waiting(system: ActorSystem) -> int:
    """Return how many messages wait for counters."""
    transport = system.backend.transport
    return sum([(await transport.depth(mailbox)).ready for mailbox in ROUTES.mailboxes()])


async def test_a_client_with_too_much_unconfirmed_numbers_anew(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        pass
    hasty = system.ref(CounterRef, "c1").with_options(timeout=1.0)
    outcomes = await asyncio.gather(*(hasty.get() for _ in range(UNCONFIRMED_MAX)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {AskTimeoutError}
    await system.ref(CounterRef, "c1").increment.tell()
    senders: dict[object, int] = {}
    arrived = asyncio.Event()

    def keep(delivery: Delivery) -> None:
        headers = delivery.message.headers
        senders[headers["ba-sender"]] = int(str(headers["ba-seq"]))
        if len(senders) == 2:
            arrived.set()

    consumer = await system.backend.transport.consume(ROUTES.mailbox_of("c1"), keep, prefetch=1000)
    async with asyncio.timeout(HANG_SECONDS):
        await arrived.wait()
    await consumer.close()
    assert list(senders.values())[-1] == 1
