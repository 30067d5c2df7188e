"""The proxy breaks what it is told to break, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

import pytest

from tests.servers.ports import free_port
from tests.soak.proxy import Proxy

HANG_SECONDS = 10.0


class Echo:
    """A server that sends everything back, and a way to it."""

    def __init__(self) -> None:
        self.proxy = Proxy([], Random(1))  # noqa: S311 - nobody is to be kept from guessing it
        self.heard = bytearray()
        self.hears = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(ConnectionError):
            while data := await reader.read(1_000):
                self.heard += data
                self.hears.set()
                writer.write(data)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a line through the proxy."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        self._writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        """Close every line."""
        await self.proxy.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def heard_all(self, data: bytes) -> None:
        """Return when *data* is all it has heard."""
        async with asyncio.timeout(HANG_SECONDS):
            while bytes(self.heard) != data:
                self.hears.clear()
                await self.hears.wait()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    async with await asyncio.start_server(echo.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        # The first of these ports answers nobody.
        echo.proxy = Proxy([free_port(), port], Random(1))  # noqa: S311 - nobody is to be kept from guessing it
        await echo.proxy.start()
        yield echo
        await echo.close()


async def _say(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _ends(reader: asyncio.StreamReader) -> None:
    """Return when the line is broken."""
    async with asyncio.timeout(HANG_SECONDS):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            assert await reader.readexactly(1)


async def test_everything_passes_until_it_is_cut(echo: Echo) -> None:
    reader, writer = await echo.connect()
    await _say(writer, b"one")
    assert await reader.readexactly(3) == b"one"
    assert echo.proxy.cut() == 1
    await _ends(reader)


async def test_what_waits_in_the_dark_arrives_late_or_never(echo: Echo) -> None:
    reader, writer = await echo.connect()
    await _say(writer, b"one")
    assert await reader.readexactly(3) == b"one"
    echo.proxy.darken()
    await _say(writer, b"two")
    new_reader, new_writer = await echo.connect()
    await _say(new_writer, b"three")
    assert bytes(echo.heard) == b"one"
    echo.proxy.heal(late=True)
    assert await reader.readexactly(3) == b"two"
    assert await new_reader.readexactly(5) == b"three"
    echo.proxy.darken()
    await _say(writer, b"four")
    echo.proxy.heal()
    await _ends(reader)
    assert b"four" not in echo.heard


async def test_a_swallowed_answer_never_comes_and_its_question_arrives(echo: Echo) -> None:
    reader, writer = await echo.connect()
    await _say(writer, b"one")
    assert await reader.readexactly(3) == b"one"
    echo.proxy.swallow()
    await _say(writer, b"two")
    await echo.heard_all(b"onetwo")
    echo.proxy.heal(late=True)
    await _ends(reader)
