"""The socket under a connection: what is written in one loop pass leaves in one piece.

The client library writes every message and every acknowledgement by itself, and each write
would be a system call and often a packet of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiormq.connection import TransportFactory
from yarl import URL

from broker_actors.adapters.rabbitmq.direct.passages import Passages
from broker_actors.adapters.rabbitmq.direct.reader import PeelingReader
from broker_actors.adapters.rabbitmq.direct.releases import is_known
from broker_actors.adapters.rabbitmq.guard import GuardedReader

#: Written at once when this much is waiting, so that a burst does not double its memory.
_WAITING_BYTES_MAX: Final = 65_536


class GatheringWriter(asyncio.StreamWriter):
    """A stream writer that hands the data of a loop pass to the transport together."""

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        protocol: asyncio.StreamReaderProtocol,
        reader: asyncio.StreamReader,
        passages: Passages | None = None,
    ) -> None:
        self._passages = passages
        self._pass = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        super().__init__(transport, protocol, reader, self._pass)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take *data*; it leaves at the end of this loop pass."""
        if self._passages is not None:
            self._passages.written(data)
        if not self._waiting:
            self._pass.call_soon(self._flush)
        self._waiting.append(bytes(data))
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _WAITING_BYTES_MAX:
            self._flush()

    async def drain(self) -> None:
        """Return when the transport has room again."""
        self._flush()
        await super().drain()

    def write_eof(self) -> None:
        """End the sending side after what was written."""
        self._flush()
        super().write_eof()

    def close(self) -> None:
        """Close after what was written."""
        self._flush()
        super().close()

    def _flush(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if waiting and not self.is_closing():
            super().write(b"".join(waiting))


class Sockets(TransportFactory):
    """Opens the library's connections, plain and TLS.

    Args:
        guarded: read past properties that cannot be decoded, at the price of decoding each twice.

    """

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        #: What may go past the library; None if everything goes by it.
        self.passages = Passages() if is_known() and not guarded else None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:  # noqa: ANN401 - the library's signature
        """Connect to *url*."""
        provider = kwargs.pop("ssl_context_provider")
        context = await provider.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        reader = self._reader()
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        assert url.host is not None
        assert url.port is not None
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host, url.port, ssl=context, **kwargs
        )
        writer = GatheringWriter(transport, protocol, reader, self.passages)
        if self.passages is not None:
            self.passages.opened(writer)
        return reader, writer

    def _reader(self) -> asyncio.StreamReader:
        if self._guarded:
            return GuardedReader()
        if self.passages is not None:
            return PeelingReader(self.passages)
        return asyncio.StreamReader(loop=asyncio.get_running_loop())
