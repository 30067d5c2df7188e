"""Asks the broker how queues stand, without touching what is in them.

Invariant: a question never shares a channel with anything else, for the broker answers one
about a queue that is not there by closing the channel. One that lived is kept for the next question.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiormq
from aiormq.exceptions import ChannelClosed, ChannelNotFoundEntity
from pamqp.commands import Queue

from broker_actors.adapters.rabbitmq.channels import LostError, close_channel, lost_when_gone
from broker_actors.adapters.rabbitmq.connection import Connection
from broker_actors.core.errors import BrokerUnavailableError, UnroutableError
from broker_actors.ports.transport import Depth

#: Channels kept for later; with more questions at a time than that, some are opened and closed.
_IDLE_MAX: Final = 16


class Depths:
    """Asks over *connection*, which is opened with the first question.

    Args:
        connection: may be shared; its channels may not.
        timeout_seconds: how long one question may take, reconnects included.

    """

    def __init__(self, connection: Connection, timeout_seconds: float) -> None:
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self._idle: list[aiormq.Channel] = []

    async def ask(self, mailbox: str) -> Depth:
        """Return how *mailbox* stands.

        Raises:
            UnroutableError: there is no such queue.
            BrokerUnavailableError: no answer within the deadline, or the broker refuses to say.

        """
        self._connection.start()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while (found := await self._asked(mailbox)) is None:
                    pass
        except TimeoutError:
            why = self._connection.why_down or "the broker did not answer"
            text = f"{self._connection.server}: nothing heard of {mailbox} within {self._timeout_seconds} s"
            raise BrokerUnavailableError(f"{text}: {why}") from None
        return found

    async def _asked(self, mailbox: str) -> Depth | None:
        """Return the broker's answer; None when the channel was lost on the way."""
        channel = await self._channel()
        is_well = False
        try:
            with lost_when_gone():
                found = await _declared_passively(channel, mailbox)
            is_well = len(self._idle) < _IDLE_MAX
        except LostError as error:
            match error.__cause__:
                case ChannelNotFoundEntity():
                    raise UnroutableError(f"there is no queue {mailbox}") from error
                case ChannelClosed():
                    raise BrokerUnavailableError(
                        f"the broker refuses to look at {mailbox}: {error}"
                    ) from error
                case _:
                    return None
        finally:
            if is_well:
                self._idle.append(channel)
            else:
                await close_channel(channel)
        return found

    async def _channel(self) -> aiormq.Channel:
        while self._idle:
            if not (channel := self._idle.pop()).is_closed:
                return channel
        return await self._connection.channel(confirms=False)


async def _declared_passively(channel: aiormq.Channel, mailbox: str) -> Depth:
    # The only question about a queue that the protocol has. The library's type allows no answer at
    # all, which there is for `nowait` only.
    answer = await channel.queue_declare(mailbox, passive=True)
    assert isinstance(answer, Queue.DeclareOk), answer
    return Depth(answer.message_count or 0, answer.consumer_count or 0)
