"""Asking how a mailbox stands while the broker is away."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.core.errors import BrokerUnavailableError
from broker_actors.ports.transport import Depth
from tests.conformance.transport.brokers import HANG_SECONDS, declare_mailbox
from tests.integration.rabbitmq.support import open_transport
from tests.servers import RabbitServer


async def test_a_broker_that_does_not_answer_is_unavailable_by_the_deadline(
    rabbit_server: RabbitServer,
) -> None:
    url = await asyncio.to_thread(rabbit_server.vhosts.create)
    async with open_transport(url) as patient:
        await declare_mailbox(patient)
        async with open_transport(url, timeout_seconds=1.0) as transport:
            await asyncio.to_thread(rabbit_server.freeze)
            async with asyncio.timeout(HANG_SECONDS):
                with pytest.raises(BrokerUnavailableError, match=r"box within 1\.0 s"):
                    await transport.depth("box")
            await asyncio.to_thread(rabbit_server.thaw)
        assert await patient.depth("box") == Depth(0, 0)


@pytest.mark.verify
async def test_a_broker_that_comes_back_in_time_answers(rabbit_server: RabbitServer) -> None:
    url = await asyncio.to_thread(rabbit_server.vhosts.create)
    async with open_transport(url) as transport:
        await declare_mailbox(transport)
        # Twice, so that a channel is there which the connection takes with it.
        assert await transport.depth("box") == Depth(0, 0)
        await asyncio.to_thread(rabbit_server.restart)
        assert (await transport.depth("box")).consumers == 0
