"""Counts what crosses the wire: frames of the broker, commands of the store."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from redis.asyncio import Redis

from tests.integration.redis.proxy import Proxy

_HEAD: Final = struct.Struct(">BHI")
_END_BYTES: Final = 1
_HEARTBEAT: Final = 8
#: What the counted commands have in their keys: those of single actors and of the reply channels. The relay
#: reads indexes now and then, whether there are messages or not.
_COUNTED: Final = re.compile(r"\}:[a-z]{1,2}:|:reply:")
_END: Final = "the end of counting"
#: A guard against hanging, not a measurement.
_HANG_SECONDS: Final = 30.0


class Frames:
    """Passes connections to a broker on, and counts frames that are no heartbeats."""

    def __init__(self, amqp_url: str) -> None:
        self.proxy = Proxy(amqp_url)
        self._copies: list[tuple[bytearray, bytearray]] = []

    def begin(self) -> None:
        """Count from now on. Nothing may be under way."""
        self._copies = [pipe.copies() for pipe in self.proxy.pipes]

    @property
    def sent(self) -> int:
        """How many frames were sent to the broker."""
        return sum(count(asked) for asked, _ in self._copies)

    @property
    def received(self) -> int:
        """How many came from it."""
        return sum(count(answered) for _, answered in self._copies)


@asynccontextmanager
async def counted_frames(amqp_url: str) -> AsyncIterator[tuple[Frames, str]]:
    """Yield a counter and the URL by which a connection passes it."""
    frames = Frames(amqp_url)
    server = await asyncio.start_server(frames.proxy.serve, "127.0.0.1", 0)
    try:
        port, parts = server.sockets[0].getsockname()[1], urlsplit(amqp_url)
        login, at, _ = parts.netloc.rpartition("@")
        yield frames, parts._replace(netloc=f"{login}{at}127.0.0.1:{port}").geturl()
    finally:
        server.close()
        await frames.proxy.close()


def count(data: bytes | bytearray) -> int:
    """Return how many frames *data* is; raises ValueError if it ends within one."""
    frames, offset = 0, 0
    while offset < len(data):
        kind, _, size_bytes = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size + size_bytes + _END_BYTES
        frames += kind != _HEARTBEAT
    if offset != len(data):
        raise ValueError("a frame was cut: something was under way when counting began or ended")
    return frames


@asynccontextmanager
async def counted_commands(redis_url: str) -> AsyncIterator[list[str]]:
    """Yield a list that has the commands which the store ran meanwhile, once the block has ended.

    Those for actors and replies, and those inside of scripts among them.
    """
    found: list[str] = []
    async with Redis.from_url(redis_url) as redis, redis.monitor() as monitor:
        yield found
        # Commands are shown in the order in which they ran: this one is the last.
        await redis.echo(_END)
        async with asyncio.timeout(_HANG_SECONDS):
            while _END not in (command := str((await monitor.next_command())["command"])):
                if _COUNTED.search(command):
                    found.append(command)
