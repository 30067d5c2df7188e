"""Sends publications on one channel, as many together as the line allows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import aiormq
from aiormq.exceptions import DeliveryError

from broker_actors.adapters.rabbitmq.channels import LostError, lost_when_gone
from broker_actors.adapters.rabbitmq.delivery import to_properties
from broker_actors.adapters.rabbitmq.line import Line
from broker_actors.adapters.rabbitmq.publication import Publication

#: Larger bodies wait for the socket, so that the window does not turn into a gigabyte of buffers.
_BUFFERED_BYTES_MAX: Final = 65_536


class Sender:
    """Takes publications from *line* and sends them on *channel* until it is stopped.

    Args:
        channel: with confirms; nobody else publishes on it.
        line: where publications wait; it is told what the broker has answered.
        message_ids: unique per attempt, for the library matches what is returned by them.

    """

    def __init__(self, channel: aiormq.Channel, line: Line, message_ids: Iterator[str]) -> None:
        self._channel = channel
        self._line = line
        self._message_ids = message_ids
        self._loop = asyncio.get_running_loop()
        self._sending: dict[asyncio.Task[bool], Publication] = {}

    def pump(self) -> None:
        """Send what may be sent now."""
        while (publication := self._line.take()) is not None:
            publication.sent_seconds = self._loop.time()
            # The channel's lock is fair, so tasks that start in order enter the broker in order.
            task = self._loop.create_task(self._send(publication))
            self._sending[task] = publication
            task.add_done_callback(self._sent)

    async def stop(self) -> None:
        """Cancel what still stands in the library: on a dead connection it would wait for ever."""
        tasks = tuple(self._sending)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _send(self, publication: Publication) -> bool:
        """Publish; return whether the broker has answered."""
        body, properties = publication.message.body, to_properties(publication.message)
        properties.message_id = next(self._message_ids)
        try:
            with lost_when_gone():
                await self._channel.basic_publish(
                    body,
                    exchange=publication.exchange,
                    routing_key=publication.key,
                    properties=properties,
                    mandatory=True,
                    wait=len(body) > _BUFFERED_BYTES_MAX,
                )
        except LostError as error:
            refused = error.__cause__
            if not isinstance(refused, DeliveryError):
                return False
            publication.fail(publication.refusal(refused))
        else:
            publication.succeed()
        return True

    def _sent(self, task: asyncio.Task[bool]) -> None:
        publication = self._sending.pop(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            # A fault of this module, for what can go wrong was checked before; its caller shall see it.
            publication.fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        elif not task.result():
            return
        self._line.settle(publication)
        self.pump()
