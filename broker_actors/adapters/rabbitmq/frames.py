"""The shape of AMQP 0-9-1 frames, as far as this package reads and writes them."""

from __future__ import annotations

import struct
from typing import Final

#: Type, channel, size of what follows.
HEAD: Final = struct.Struct(">BHI")
HEAD_BYTES: Final = HEAD.size
#: With class and method, of a method frame; with the size of the body, of a content header.
METHOD_HEAD: Final = struct.Struct(">BHI4s")
CONTENT_HEAD: Final = struct.Struct(">BHI4xQ")
END: Final = b"\xce"
#: Around the payload of a frame.
AROUND_BYTES: Final = HEAD.size + len(END)

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
HEARTBEAT: Final = 8
#: What a frame may begin with; a server of another protocol begins with something else.
KINDS: Final = frozenset({METHOD, HEADER, BODY, HEARTBEAT})
A_HEARTBEAT: Final = HEAD.pack(HEARTBEAT, 0, 0) + END

#: Class and method, with which the payload of a method frame begins.
METHOD_BYTES: Final = 4
CHANNEL_CLOSE: Final = b"\x00\x14\x00\x28"
CHANNEL_CLOSE_OK: Final = b"\x00\x14\x00\x29"
CLOSES: Final = frozenset({CHANNEL_CLOSE, CHANNEL_CLOSE_OK})
PUBLISH: Final = b"\x00\x3c\x00\x28"
RETURN: Final = b"\x00\x3c\x00\x32"
DELIVER: Final = b"\x00\x3c\x00\x3c"
ACK: Final = b"\x00\x3c\x00\x50"
NACK: Final = b"\x00\x3c\x00\x78"

#: Class, weight and size of the body, with which a content header begins; flags and properties follow.
CONTENT: Final = struct.Struct(">HHQ")
CONTENT_BYTES: Final = CONTENT.size
TAG_AND_FLAGS: Final = struct.Struct(">QB")
#: Of a delivery, of whose flags there is but one.
TAG_AND_REDELIVERED: Final = struct.Struct(">Q?")


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """Return *payload* as a frame."""
    return HEAD.pack(kind, channel, len(payload)) + payload + END


def acknowledgement(channel: int, tag: int, *, multiple: bool = False) -> bytes:
    """Return the frame that acknowledges *tag*, and with *multiple* everything before it."""
    return frame(METHOD, channel, ACK + TAG_AND_FLAGS.pack(tag, multiple))
