"""Acknowledgements that leave together: which wait for each other, and for what they do not wait."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.adapters.rabbitmq import consumer as consuming
from broker_actors.adapters.rabbitmq.direct.deliveries import Deliveries
from broker_actors.core.acks import AckPlan
from tests.conformance.transport.brokers import HANG_SECONDS, Inbox, declare_mailbox, publish_all, read
from tests.integration.rabbitmq.support import open_transport


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[AckPlan]:
    """Gather for longer than any test takes; return what is sent."""
    sent: list[AckPlan] = []
    acknowledge = Deliveries.acknowledge

    def noting(deliveries: Deliveries, plan: AckPlan) -> None:
        if plan != AckPlan(0, ()):
            sent.append(plan)
        acknowledge(deliveries, plan)

    monkeypatch.setattr(Deliveries, "acknowledge", noting)
    monkeypatch.setattr(consuming, "GATHERED_SECONDS", 10 * HANG_SECONDS)
    return sent


async def test_acknowledgements_of_several_loop_passes_leave_together(
    amqp_url: str, plans: list[AckPlan]
) -> None:
    async with asyncio.timeout(HANG_SECONDS), open_transport(amqp_url) as transport:
        await declare_mailbox(transport)
        await publish_all(transport, range(11))
        consumer = await transport.consume("box", inbox := Inbox(), prefetch=100)
        await inbox.wait_for(11)
        for delivery in inbox.deliveries[:10]:
            delivery.ack()
            # A round trip, so that each is given in a loop pass of its own.
            await transport.declare([])
        assert plans == []
        await consumer.close()
        assert plans == [AckPlan(10, ())]
        assert await read(transport, "box", 1) == [b"10"]


async def test_a_consumer_with_little_in_hand_gets_the_next_message_at_once(
    amqp_url: str, plans: list[AckPlan]
) -> None:
    async with asyncio.timeout(HANG_SECONDS), open_transport(amqp_url) as transport:
        await declare_mailbox(transport)
        await publish_all(transport, range(20))
        consumer = await transport.consume("box", inbox := Inbox(acks=True), prefetch=1)
        await inbox.wait_for(20)
        await consumer.close()
        assert len(plans) >= 20
