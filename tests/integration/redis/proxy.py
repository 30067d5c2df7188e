"""A TCP proxy in front of Redis that breaks what a test wants broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import urlsplit

_BYTES = 65_536

#: Told the bytes of one direction; returns what to pass on, or None to cut the connection.
Filter: TypeAlias = Callable[[bytes], bytes | None]


def _pass(data: bytes) -> bytes:
    return data


class Pipe:
    """One connection through the proxy."""

    def __init__(self, to_server: asyncio.StreamWriter, to_client: asyncio.StreamWriter) -> None:
        self.to_server = to_server
        self.to_client = to_client
        self.asked: Filter = _pass
        self.answered: Filter = _pass
        #: Set when an answer did not get through.
        self.swallowed = asyncio.Event()

    def swallow_answers(self) -> None:
        """Let nothing through from the server any more."""

        def swallow(_: bytes) -> bytes:
            self.swallowed.set()
            return b""

        self.answered = swallow

    def hold_questions(self) -> bytearray:
        """Keep what the client sends from now on instead of passing it on; return where."""
        held = bytearray()

        def hold(data: bytes) -> bytes:
            held.extend(data)
            return b""

        self.asked = hold
        return held

    def copies(self) -> tuple[bytearray, bytearray]:
        """Return where what both sides say from now on is copied to."""
        asked, answered = bytearray(), bytearray()

        def ask(data: bytes) -> bytes:
            asked.extend(data)
            return data

        def answer(data: bytes) -> bytes:
            answered.extend(data)
            return data

        self.asked, self.answered = ask, answer
        return asked, answered

    def cut_at_answer(self) -> None:
        """Close the connection instead of passing on the next answer."""
        self.answered = _cut


class Proxy:
    """Accepts connections for a server."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 6379
        self.pipes: list[Pipe] = []
        #: Whether new connections get no answers.
        self.silent = False
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one client's connection."""
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        pipe = Pipe(server_writer, writer)
        if self.silent:
            pipe.swallow_answers()
        self.pipes.append(pipe)
        self._writers |= {writer, server_writer}
        # Looked up for each piece of data, because tests change them on the way.
        await asyncio.gather(
            _copy(reader, server_writer, lambda data: pipe.asked(data)),  # noqa: PLW0108
            _copy(server_reader, writer, lambda data: pipe.answered(data)),  # noqa: PLW0108
        )

    async def close(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


@asynccontextmanager
async def proxy_to(target: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Yield a proxy to the server at the URL *target*, and its own URL."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield proxy, f"redis://127.0.0.1:{port}{urlsplit(target).path}"
    finally:
        server.close()
        await proxy.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, through: Filter) -> None:
    try:
        while data := await reader.read(_BYTES):
            passed = through(data)
            if passed is None:
                break
            writer.write(passed)
            await writer.drain()
    except ConnectionError:
        # Either end may go at any time; the other is told by the close below.
        return
    finally:
        writer.close()


def _cut(_: bytes) -> None:
    return None
