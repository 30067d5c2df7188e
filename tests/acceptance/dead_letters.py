"""Reads the dead letters of a type as an operator would: from its queue."""

from __future__ import annotations

import asyncio

from broker_actors.core import dead, topology
from broker_actors.core.dead import DeadLetter
from broker_actors.ports.transport import Delivery, Transport
from tests.acceptance.watching import HANG_SECONDS


async def take(
    transport: Transport, actor_type: str, count: int, *, hang_seconds: float = HANG_SECONDS
) -> list[DeadLetter]:
    """Return the first *count* dead letters of *actor_type*, waiting for them, and acknowledge them."""
    return await take_from(transport, topology.dead_queue(actor_type), count, hang_seconds=hang_seconds)


async def take_from(
    transport: Transport, queue: str, count: int, *, hang_seconds: float = HANG_SECONDS
) -> list[DeadLetter]:
    """Return the first *count* dead letters in *queue*."""
    found: list[DeadLetter] = []
    enough = asyncio.Event()

    def keep(delivery: Delivery) -> None:
        found.append(dead.read(delivery.message))
        delivery.ack()
        if len(found) >= count:
            enough.set()

    consumer = await transport.consume(queue, keep, prefetch=100)
    try:
        async with asyncio.timeout(hang_seconds):
            await enough.wait()
    finally:
        await consumer.close()
    return found[:count]
