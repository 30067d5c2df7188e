"""The channels of one connection that go past the library, and what is to become of their frames."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from broker_actors.adapters.rabbitmq.channels import LostError
from broker_actors.adapters.rabbitmq.frames import (
    AROUND_BYTES,
    BODY,
    CLOSES,
    CONTENT,
    CONTENT_HEAD,
    HEAD,
    HEAD_BYTES,
    HEADER,
    METHOD,
    METHOD_BYTES,
    METHOD_HEAD,
)

#: Told the payload of a method frame.
OnMethod: TypeAlias = Callable[[bytes], None]
#: Told the payloads of a method frame, of the content header after it, and the body.
OnContent: TypeAlias = Callable[[bytes, bytes, bytes], None]
#: Whom to tell of a message, what, and where it ends.
Whole: TypeAlias = tuple[OnContent, bytes, bytes, bytes, int]


class Passage:
    """One channel.

    Args:
        channel: its number.
        passages: those of its connection.
        on_method: what to tell whom, by class and method.
        on_content: the same for methods that carry a message.

    """

    def __init__(
        self,
        channel: int,
        passages: Passages,
        on_method: Mapping[bytes, OnMethod],
        on_content: Mapping[bytes, OnContent],
    ) -> None:
        self.channel = channel
        self._has_closed = False
        self._passages = passages
        self._writer = passages.writer
        self._on_method = on_method
        self._on_content = on_content
        #: The message that is coming in.
        self._receiver: OnContent | None = None
        self._method = self._header = b""
        self._body: list[bytes] = []
        self._missing_bytes = 0
        passages.add(self)

    @property
    def is_open(self) -> bool:
        """Whether something may be written: no close has passed, in either direction."""
        return not self._has_closed and not self._writer.is_closing()

    def close(self) -> None:
        """Write nothing from now on. Idempotent."""
        self._has_closed = True

    def write(self, data: bytes) -> None:
        """Send whole frames of this channel.

        Raises:
            LostError: the channel is closed, or about to be.

        """
        if not self.is_open:
            raise LostError("the channel is closed")
        self._writer.write(data)

    @property
    def unsent_bytes(self) -> int:
        """How much the connection holds that the socket has not taken."""
        return self._writer.transport.get_write_buffer_size()

    async def drain(self) -> None:
        """Return when the socket has room again; raises OSError when it is gone."""
        await self._writer.drain()

    def whole(self, data: bytes, offset: int, most: int) -> Iterator[Whole]:
        """Yield messages of this channel, *most* at most, that follow each other in *data* from *offset* on.

        Most messages lie there whole: a method that carries one, a content header and one body. What does
        not, or is none, ends it: that `takes` is to read.
        """
        own, receivers, last = self.channel, self._on_content, len(data)
        try:
            for _ in range(most):
                kind, channel, size_bytes, name = METHOD_HEAD.unpack_from(data, offset)
                if channel != own or kind != METHOD or name not in receivers:
                    return
                header_at = offset + AROUND_BYTES + size_bytes
                kind, channel, size_bytes, body_bytes = CONTENT_HEAD.unpack_from(data, header_at)
                body_at = header_at + AROUND_BYTES + size_bytes
                end = body_at + AROUND_BYTES + body_bytes
                if end > last or channel != own or kind != HEADER:
                    return
                if HEAD.unpack_from(data, body_at) != (BODY, own, body_bytes):
                    return
                method = data[offset + HEAD_BYTES : header_at - 1]
                header = data[header_at + HEAD_BYTES : body_at - 1]
                yield receivers[name], method, header, data[body_at + HEAD_BYTES : end - 1], end
                offset = end
        except struct.error:
            # The rest of it has not come yet.
            return

    def takes(self, kind: int, payload: bytes) -> bool:
        """Take one frame off; return False if it is for the library."""
        if kind == METHOD:
            name = payload[:METHOD_BYTES]
            self._receiver = self._on_content.get(name)
            if self._receiver is not None:
                self._method = payload
                return True
            if (on_method := self._on_method.get(name)) is None:
                if name in CLOSES:
                    self._passages.arrived(self.channel)
                return False
            on_method(payload)
            return True
        if self._receiver is None:
            return False
        if kind == HEADER:
            self._header, self._body = payload, []
            _, _, self._missing_bytes = CONTENT.unpack_from(payload)
        else:
            self._body.append(payload)
            self._missing_bytes -= len(payload)
        if self._missing_bytes <= 0:
            receiver, body, self._receiver = self._receiver, self._body, None
            receiver(self._method, self._header, body[0] if len(body) == 1 else b"".join(body))
        return True


class Passages:
    """Those of one connection, by channel."""

    def __init__(self) -> None:
        self._by_channel: dict[int, Passage] = {}
        #: Returns the passage of a channel; None if its frames are for the library.
        self.of: Final[Callable[[int], Passage | None]] = self._by_channel.get
        self._writer: asyncio.StreamWriter | None = None

    @property
    def writer(self) -> asyncio.StreamWriter:
        """Where the connection's frames leave."""
        assert self._writer is not None, "the connection is open before its channels are"
        return self._writer

    def opened(self, writer: asyncio.StreamWriter) -> None:
        """Take note of where the connection's frames leave."""
        self._writer = writer

    def add(self, passage: Passage) -> None:
        """Let the frames of a channel go by *passage* from now on, until it is closed."""
        self._by_channel[passage.channel] = passage

    def arrived(self, channel: int) -> None:
        """Take note that a close of *channel* came from the broker: its number may be used again."""
        passage = self._by_channel.pop(channel, None)
        if passage is not None:
            passage.close()

    def written(self, data: bytes | bytearray | memoryview) -> None:
        """Look at what the library writes: after a close of a channel nothing may follow on it."""
        if (
            self._by_channel
            and data[0] == METHOD
            and bytes(data[HEAD.size : HEAD.size + METHOD_BYTES]) in CLOSES
        ):
            _, channel, _ = HEAD.unpack_from(data)
            passage = self._by_channel.get(channel)
            if passage is not None:
                # What still comes is swallowed, until the broker has closed it, too.
                passage.close()
