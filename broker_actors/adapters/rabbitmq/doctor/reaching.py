"""A connection for one examination: one attempt, and the reason if it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiormq
from aiormq.exceptions import AMQPError
from yarl import URL

from broker_actors.adapters.rabbitmq.admission import Amqp, obstacle_of, place_of
from broker_actors.adapters.rabbitmq.channels import LostError, describe, lost_when_gone
from broker_actors.adapters.rabbitmq.options import CLOSE_SECONDS
from broker_actors.core.diagnosis.reach import NoBroker, Obstacle


class NoBrokerError(Exception):
    """The broker does not let us in. Never leaves this package."""

    def __init__(self, facts: NoBroker) -> None:
        super().__init__(facts.detail)
        self.facts = facts


@asynccontextmanager
async def connected(url: URL, name: str, timeout_seconds: float) -> AsyncGenerator[aiormq.Connection]:
    """Connect once, and close in the end.

    Raises:
        NoBrokerError: not connected within *timeout_seconds*; says why.

    """
    amqp = Amqp(url, client_properties={"connection_name": name})
    try:
        async with asyncio.timeout(timeout_seconds):
            await amqp.connect()  # pyright: ignore[reportUnknownMemberType]
    except TimeoutError as error:
        detail = f"nothing there speaks AMQP within {timeout_seconds:g} s"
        raise NoBrokerError(NoBroker(place_of(url), Obstacle.UNREACHABLE, detail)) from error
    except (AMQPError, OSError) as error:
        raise NoBrokerError(NoBroker(place_of(url), obstacle_of(error), describe(error))) from error
    try:
        yield amqp
    finally:
        await _close(amqp)


async def _close(amqp: aiormq.Connection) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            with lost_when_gone():
                await amqp.close()
    except (LostError, TimeoutError):
        # Gone, or blocked: the broker closes it when the heartbeats end.
        return
