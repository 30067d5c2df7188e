"""Sends publications past the library: frames from templates, one write for each loop pass.

Nothing of a publication is a task: its frames are written, and its confirm finds it by its number.
Invariant: numbers are counted as the broker counts them, one for each publication that was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

import aiormq

from broker_actors.adapters.rabbitmq import frames
from broker_actors.adapters.rabbitmq.decoding import message_of
from broker_actors.adapters.rabbitmq.direct.passages import Passage, Passages
from broker_actors.adapters.rabbitmq.encoding import frames_of
from broker_actors.adapters.rabbitmq.line import Line
from broker_actors.adapters.rabbitmq.publication import Publication

#: Written and not taken by the socket; beyond it publications wait in their line.
UNSENT_BYTES_MAX: Final = 1_048_576
_MULTIPLE: Final = 1


class DirectSender:
    """Takes publications from *line* and writes them to *channel* until it is stopped.

    Args:
        channel: with confirms; nobody else publishes on it.
        passages: of its connection.
        line: where publications wait; it is told what the broker has answered.
        message_ids: unique per attempt; what is returned is known by them.

    """

    def __init__(
        self, channel: aiormq.Channel, passages: Passages, line: Line, message_ids: Iterator[str]
    ) -> None:
        self._line = line
        self._message_ids = message_ids
        self._loop = asyncio.get_running_loop()
        self._piece_bytes_max = channel.max_content_size
        #: What was written and not answered, by number.
        self._sent: dict[int, tuple[str, Publication]] = {}
        self._number = 0
        self._draining: asyncio.Task[None] | None = None
        self._passage = Passage(
            channel.number,
            passages,
            {frames.ACK: self._acknowledged, frames.NACK: self._refused},
            {frames.RETURN: self._returned},
        )

    def pump(self) -> None:
        """Send what may be sent now."""
        passage = self._passage
        if self._draining is not None or not passage.is_open:
            return
        now_seconds = self._loop.time()
        written: list[bytes] = []
        written_bytes = 0
        # What is left then is sent when some of this has been answered.
        while written_bytes <= UNSENT_BYTES_MAX and (taken := self._line.take()) is not None:
            taken.sent_seconds = now_seconds
            self._number += 1
            message_id = next(self._message_ids)
            self._sent[self._number] = (message_id, taken)
            written.append(self._frames(taken, message_id))
            written_bytes += len(written[-1])
        if written:
            passage.write(b"".join(written))
            if passage.unsent_bytes > UNSENT_BYTES_MAX:
                self._draining = self._loop.create_task(self._drain())

    async def stop(self) -> None:
        """Write nothing more; those that were not answered go back to their line."""
        self._passage.close()
        draining, self._draining = self._draining, None
        if draining is not None:
            draining.cancel()
            await asyncio.wait((draining,))

    def _frames(self, taken: Publication, message_id: str) -> bytes:
        return frames_of(
            self._passage.channel,
            taken.method,
            taken.properties.named(message_id),
            taken.message.body,
            self._piece_bytes_max,
        )

    async def _drain(self) -> None:
        try:
            await self._passage.drain()
        except OSError:
            # The socket is gone, and soon the channel: whoever keeps it puts back what was not answered.
            return
        self._draining = None
        self.pump()

    def _acknowledged(self, payload: bytes) -> None:
        for _, done in self._answered(payload):
            done.succeed()
            self._line.settle(done)
        self.pump()

    def _refused(self, payload: bytes) -> None:
        for _, done in self._answered(payload):
            done.fail(done.refused())
            self._line.settle(done)
        self.pump()

    def _returned(self, _method: bytes, header: bytes, body: bytes) -> None:
        # Its confirm follows, and finds that its caller knows more by then.
        returned = message_of(header, body).message_id
        for message_id, publication in self._sent.values():
            if message_id == returned:
                publication.fail(publication.unroutable())

    def _answered(self, payload: bytes) -> list[tuple[str, Publication]]:
        number, flags = frames.TAG_AND_FLAGS.unpack_from(payload, frames.METHOD_BYTES)
        if not flags & _MULTIPLE:
            found = self._sent.pop(number, None)
            return [] if found is None else [found]
        # Numbers grow in the order in which they were written.
        numbers = list(takewhile(lambda one: one <= number, self._sent))
        return [self._sent.pop(one) for one in numbers]
