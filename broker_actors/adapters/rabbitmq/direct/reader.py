"""The reading side of a connection: takes off what goes past the library, and hands it the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, SupportsIndex

from broker_actors.adapters.rabbitmq.direct.passages import Passage, Passages
from broker_actors.adapters.rabbitmq.frames import (
    A_HEARTBEAT,
    AROUND_BYTES,
    HEAD,
    KINDS,
    METHOD,
)

#: Frames taken off at a time: what they carry is worked on at once, and keeps everything else waiting.
TAKEN_MAX: Final = 192
#: Of one that lies there whole: method, content header and body.
_MESSAGE_FRAMES: Final = 3
#: Read and not looked at yet, beyond which the socket is not read.
UNREAD_BYTES_MAX: Final = 1_048_576
#: The library takes a connection for dead on which it sees nothing, and the broker sends no heartbeats
#: while it sends messages. So it is shown one, this often at most.
SIGN_OF_LIFE_SECONDS: Final = 1.0


class PeelingReader(asyncio.StreamReader):
    """A stream reader that looks at whole frames on their way to the library.

    Args:
        passages: the channels of this connection that do not go by the library.

    """

    def __init__(self, passages: Passages) -> None:
        self._pass = asyncio.get_running_loop()
        super().__init__(loop=self._pass)
        self._passages = passages
        #: Read, and not looked at yet.
        self._unread = b""
        self._goes_on: asyncio.Handle | None = None
        self._socket: asyncio.ReadTransport | None = None
        self._is_held = False
        self._shown_seconds = self._pass.time()
        #: Whether this is no AMQP: then everything is for the library, which says so.
        self._is_foreign = False

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the socket."""
        super().set_transport(transport)
        if isinstance(transport, asyncio.ReadTransport):
            self._socket = transport

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Look at what came."""
        self._unread = self._unread + bytes(data) if self._unread else bytes(data)
        if self._goes_on is None:
            self._look()
        elif len(self._unread) > UNREAD_BYTES_MAX and self._socket is not None:
            self._is_held = True
            self._socket.pause_reading()

    def feed_eof(self) -> None:
        """Look at the rest, which came before the end."""
        while self._look():
            pass
        super().feed_eof()

    def _go_on(self) -> None:
        self._goes_on = None
        if not self._look() and self._is_held and self._socket is not None:
            self._is_held = False
            self._socket.resume_reading()

    def _look(self) -> bool:
        """Take off some frames and hand on the others, as they came; return whether there are more."""
        unread, of = self._unread, self._passages.of
        handed: list[bytes] = []
        offset = taken = 0
        total = len(unread)
        last = total - HEAD.size
        while taken < TAKEN_MAX and offset <= last and not self._is_foreign:
            kind, channel, size_bytes = HEAD.unpack_from(unread, offset)
            end = offset + AROUND_BYTES + size_bytes
            if kind not in KINDS:
                self._is_foreign = True
                break
            if end > total:
                break
            passage = of(channel)
            if passage is None:
                handed.append(unread[offset:end])
                offset = end
                continue
            if kind == METHOD and (messages := self._messages(passage, offset, TAKEN_MAX - taken)):
                count, offset = messages
                taken += count * _MESSAGE_FRAMES
                continue
            if self._takes(passage, kind, unread[offset + HEAD.size : end - 1]):
                taken += 1
            else:
                handed.append(unread[offset:end])
            offset = end
        if self._is_foreign:
            handed.append(unread[offset:])
            offset = total
        self._unread = unread[offset:]
        self._hand_on(handed, has_taken=taken > 0)
        has_more = taken >= TAKEN_MAX
        if has_more and self._goes_on is None:
            self._goes_on = self._pass.call_soon(self._go_on)
        return has_more

    def _messages(self, passage: Passage, offset: int, frames: int) -> tuple[int, int] | None:
        """Take off the messages that lie whole at *offset*, of *frames* frames together, and at least one.

        Returns how many they are and where the last one ends; None if there is none.
        """
        count = 0
        most = -(-frames // _MESSAGE_FRAMES)
        for receiver, method, header, body, end in passage.whole(self._unread, offset, most):
            count, offset = count + 1, end
            try:
                receiver(method, header, body)
            except Exception as error:  # noqa: BLE001 - see `_lose`
                self._lose(passage.channel, error)
        return (count, offset) if count else None

    def _takes(self, passage: Passage, kind: int, payload: bytes) -> bool:
        try:
            return passage.takes(kind, payload)
        except Exception as error:  # noqa: BLE001 - see `_lose`
            self._lose(passage.channel, error)
            return True

    def _lose(self, channel: int, error: Exception) -> None:
        # One channel's fault must not end the connection of all.
        text = f"a frame of channel {channel} was lost"
        self._pass.call_exception_handler({"message": text, "exception": error})

    def _hand_on(self, handed: list[bytes], *, has_taken: bool) -> None:
        now_seconds = self._pass.time()
        if has_taken and not handed and now_seconds - self._shown_seconds >= SIGN_OF_LIFE_SECONDS:
            handed.append(A_HEARTBEAT)
        if handed:
            self._shown_seconds = now_seconds
            super().feed_data(b"".join(handed))
