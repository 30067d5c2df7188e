"""A TCP proxy between one process and a server, or several of which any will do.

Invariants: a line that lost a byte never passes another one in that direction, and ends
when its trouble does: what TCP promises, the proxy does not break.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Final

_BYTES: Final = 65_536
_CONNECT_SECONDS: Final = 1.0


class Line:
    """One connection through a proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._ends = (client, server)
        self._flows = asyncio.Event()
        self._flows.set()
        self.swallows = False

    def hold(self) -> None:
        """Pass nothing on, in either direction; what is sent waits."""
        self._flows.clear()

    def go_on(self) -> None:
        """Pass on what waits."""
        self._flows.set()

    def cut(self) -> None:
        """Break it, as a router does that forgot it."""
        self._flows.set()
        for end in self._ends:
            end.transport.abort()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy one direction until either end is gone."""
        is_answer = writer is self._ends[0]
        with suppress(ConnectionError):
            while data := await reader.read(_BYTES):
                await self._flows.wait()
                if self.swallows and is_answer:
                    continue
                writer.write(data)
                await writer.drain()
        writer.close()


class Proxy:
    """The way of one process to a server.

    Args:
        ports: where the server listens; of several, each connection takes one that accepts.
        random: chooses.

    """

    def __init__(self, ports: Sequence[int], random: Random) -> None:
        self._ports = list(ports)
        self._random = random
        self._lines: dict[Line, None] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        #: Whether new connections are accepted and then hear nothing.
        self._dark = False
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    def cut(self) -> int:
        """Break every line; return how many there were."""
        lines = list(self._lines)
        for line in lines:
            line.cut()
        return len(lines)

    def darken(self) -> None:
        """Let nothing through any more, on old lines and new ones, without a word."""
        self._dark = True
        for line in self._lines:
            line.hold()

    def swallow(self) -> None:
        """Let requests through, and no answer any more."""
        for line in self._lines:
            line.swallows = True

    def heal(self, *, late: bool = False) -> None:
        """Let everything through again.

        Args:
            late: what waited in the dark arrives now; otherwise those lines are broken.

        """
        self._dark = False
        for line in list(self._lines):
            if late and not line.swallows:
                line.go_on()
            else:
                line.cut()

    async def close(self) -> None:
        """Stop listening and break what is left."""
        if self._listener is not None:
            self._listener.close()
        self.cut()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = await self._connect()
        if server is None:
            writer.transport.abort()
            return
        server_reader, server_writer = server
        line = Line(writer, server_writer)
        self._lines[line] = None
        if self._dark:
            line.hold()
        try:
            directions = (line.pass_on(reader, server_writer), line.pass_on(server_reader, writer))
            await asyncio.gather(*directions)
        finally:
            self._lines.pop(line, None)
            line.cut()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for port in self._random.sample(self._ports, len(self._ports)):
            with suppress(OSError):  # a timeout is one, too
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await asyncio.open_connection("127.0.0.1", port)
        return None
