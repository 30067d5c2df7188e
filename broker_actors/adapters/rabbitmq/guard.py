"""Reads past properties the client library cannot decode.

Anybody may publish a timestamp of the year 50,000, text that is not UTF-8, or tables nested a
thousand deep. The library fails on it in the task that reads the connection, so one such message
would end the connection again with every redelivery. A guarded connection hands it on without
its properties: core finds no address in it and puts it with the dead letters.
"""

from __future__ import annotations

import asyncio
from typing import Final

import pamqp.frame
from pamqp import constants

#: Class, weight and body size; two bytes follow that say which properties are there.
_BEFORE_FLAGS_BYTES: Final = 12
_FLAGS_BYTES: Final = 2


class GuardedReader(asyncio.StreamReader):
    """A stream reader that checks content headers on their way.

    The library reads a frame in pieces: one byte, six more, and the rest.
    """

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._head = b""

    async def readexactly(self, n: int) -> bytes:
        """Return the next *n* bytes, as a frame the library can decode."""
        piece = await super().readexactly(n)
        if len(self._head) < constants.FRAME_HEADER_SIZE:
            self._head += piece
            return piece
        head, self._head = self._head, b""
        return piece if head[0] != constants.FRAME_HEADER else readable(head, piece)


def readable(head: bytes, rest: bytes) -> bytes:
    """Return *rest* of a content header frame, without its properties if they cannot be decoded."""
    try:
        pamqp.frame.unmarshal(head + rest)
    except Exception:  # noqa: BLE001 - whatever it is, it would end the connection
        # What is left over behind the flags is ignored, and the frame keeps its length.
        return rest[:_BEFORE_FLAGS_BYTES] + bytes(_FLAGS_BYTES) + rest[_BEFORE_FLAGS_BYTES + _FLAGS_BYTES :]
    return rest


def is_undecodable(reason: BaseException | None) -> bool:
    """Return whether a connection may have ended because something could not be decoded."""
    return isinstance(reason, Exception) and not isinstance(reason, OSError)
