"""One question at a time on a channel of its own, which a refusal ends and the next question opens again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelClosed, PublishError

from broker_actors.adapters.rabbitmq.channels import close_channel, lost_when_gone

T = TypeVar("T")

#: For one question. A quorum queue without a leader never answers.
ANSWER_SECONDS: Final = 5.0

Question: TypeAlias = Callable[[AbstractChannel], Awaitable[T]]


class SilentError(Exception):
    """The broker did not answer in time."""


class Asker:
    """Asks the broker; use by one task at a time.

    Args:
        amqp: an open connection.
        confirms: whether published messages are confirmed, or returned.

    """

    def __init__(self, amqp: aiormq.Connection, *, confirms: bool = False) -> None:
        self._amqp = amqp
        self._confirms = confirms
        self._channel: AbstractChannel | None = None

    async def ask(self, question: Question[T]) -> T | ChannelClosed | PublishError:
        """Return what the broker answers, which may be that it refuses, or gives a message back.

        Raises:
            SilentError: no answer within `ANSWER_SECONDS`.
            LostError: the connection is gone.

        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                with lost_when_gone():
                    return await self._asked(question)
        except TimeoutError as error:
            # Its answer may still come, and would be taken for that of the next question.
            self._channel = None
            raise SilentError from error

    async def close(self) -> None:
        """Close the channel, if one is open."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await close_channel(channel)

    async def _asked(self, question: Question[T]) -> T | ChannelClosed | PublishError:
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._amqp.channel(publisher_confirms=self._confirms, on_return_raises=True)
        try:
            return await question(self._channel)
        except PublishError as error:
            return error
        except ChannelClosed as error:
            self._channel = None
            return error
