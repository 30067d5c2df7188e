"""A broker out of memory blocks those who publish, and nobody else."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.core.errors import BrokerUnavailableError
from tests.conformance.transport.brokers import (
    HANG_SECONDS,
    TO_MAILBOX,
    Inbox,
    bodies,
    declare_mailbox,
    message,
    publish_all,
)
from tests.integration.rabbitmq.control import MEMORY_ALARM, evaluate
from tests.integration.rabbitmq.support import first_copies, open_transport, read_to_end
from tests.servers import RabbitServer


async def test_a_blocked_broker_can_still_be_emptied(controlled_server: RabbitServer) -> None:
    url = await asyncio.to_thread(controlled_server.vhosts.create)
    async with asyncio.timeout(HANG_SECONDS), open_transport(url, timeout_seconds=2.0) as transport:
        await declare_mailbox(transport)
        await publish_all(transport, range(20))
        await asyncio.to_thread(evaluate, controlled_server, f"rabbit_alarm:set_alarm({MEMORY_ALARM})")
        try:
            with pytest.raises(BrokerUnavailableError, match="memory"):
                await transport.publish(TO_MAILBOX, message("blocked"))
            # With a window of 5, the later ones only come if the acks of the earlier ones get through.
            await transport.consume("box", inbox := Inbox(acks=True), prefetch=5)
            await inbox.wait_for(20)
            assert inbox.bodies == bodies(range(20))
        finally:
            clear = "rabbit_alarm:clear_alarm({resource_limit, memory, node()})"
            await asyncio.to_thread(evaluate, controlled_server, clear)
        while (await asyncio.gather(transport.publish(TO_MAILBOX, message("after")), return_exceptions=True))[
            0
        ]:
            pass


async def test_publishes_wait_for_the_alarm_to_end(controlled_server: RabbitServer) -> None:
    url = await asyncio.to_thread(controlled_server.vhosts.create)
    async with asyncio.timeout(HANG_SECONDS), open_transport(url) as transport:
        await declare_mailbox(transport)
        await asyncio.to_thread(evaluate, controlled_server, f"rabbit_alarm:set_alarm({MEMORY_ALARM})")
        publishing = asyncio.gather(*(transport.publish(TO_MAILBOX, message(n)) for n in range(1_000)))
        clear = "rabbit_alarm:clear_alarm({resource_limit, memory, node()})"
        await asyncio.to_thread(evaluate, controlled_server, clear)
        await publishing
        assert first_copies(await read_to_end(transport)) == list(range(1_000))
