"""Asks the broker how a queue stands, without touching what is in it.

Each question has a channel of its own: the broker answers one about a queue that is not there
by closing the channel, and with it whatever else the channel did.
"""

from __future__ import annotations

import asyncio

import aiormq
from aiormq.exceptions import ChannelClosed, ChannelNotFoundEntity
from pamqp.commands import Queue

from broker_actors.adapters.rabbitmq.channels import LostError, close_channel, lost_when_gone
from broker_actors.adapters.rabbitmq.connection import Connection
from broker_actors.core.errors import BrokerUnavailableError, UnroutableError
from broker_actors.ports.transport import Depth


async def depth(connection: Connection, mailbox: str, timeout_seconds: float) -> Depth:
    """Return how *mailbox* stands.

    Raises:
        UnroutableError: there is no such queue.
        BrokerUnavailableError: no answer within the deadline, or the broker refuses to say.

    """
    try:
        async with asyncio.timeout(timeout_seconds):
            while (found := await _asked(connection, mailbox)) is None:
                pass
    except TimeoutError:
        why = connection.why_down or "the broker did not answer"
        text = f"{connection.server}: nothing heard of {mailbox} within {timeout_seconds} s: {why}"
        raise BrokerUnavailableError(text) from None
    return found


async def _asked(connection: Connection, mailbox: str) -> Depth | None:
    """Return the broker's answer; None when the connection was lost on the way."""
    channel = await connection.channel(confirms=False)
    try:
        with lost_when_gone():
            return await _declared_passively(channel, mailbox)
    except LostError as error:
        match error.__cause__:
            case ChannelNotFoundEntity():
                raise UnroutableError(f"there is no queue {mailbox}") from error
            case ChannelClosed():
                raise BrokerUnavailableError(f"the broker refuses to look at {mailbox}: {error}") from error
            case _:
                return None
    finally:
        await close_channel(channel)


async def _declared_passively(channel: aiormq.Channel, mailbox: str) -> Depth:
    # The only question about a queue that the protocol has. The library's type allows no answer at
    # all, which there is for `nowait` only.
    answer = await channel.queue_declare(mailbox, passive=True)
    assert isinstance(answer, Queue.DeclareOk), answer
    return Depth(answer.message_count or 0, answer.consumer_count or 0)
