"""A connection for one examination: one attempt, and the reason if it fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiormq
from aiormq.exceptions import (
    AMQPError,
    ConnectionClosed,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from pamqp import commands
from yarl import URL

from broker_actors.adapters.rabbitmq.channels import LostError, describe, lost_when_gone
from broker_actors.adapters.rabbitmq.options import CLOSE_SECONDS
from broker_actors.core.diagnosis.reach import NoBroker, Obstacle, Place


class NoBrokerError(Exception):
    """The broker does not let us in. Never leaves this package."""

    def __init__(self, facts: NoBroker) -> None:
        super().__init__(facts.detail)
        self.facts = facts


class _Frames:
    """What the library reads during the handshake; a refusal is raised instead of called unexpected."""

    def __init__(self, receiver: Any) -> None:  # noqa: ANN401 - the library does not export its type
        self._receiver = receiver

    async def get_frame(self) -> Any:  # noqa: ANN401 - whatever the library reads
        received = await self._receiver.get_frame()
        if isinstance(received[2], commands.Connection.Close) and received[2].reply_code == _NOT_ALLOWED:
            raise ConnectionClosed(received[2].reply_code, received[2].reply_text)
        return received


#: What the broker says to a virtual host that does not exist, or that the user may not use.
_NOT_ALLOWED = 530


class _Amqp(aiormq.Connection):
    @staticmethod
    async def _rpc(request: Any, writer: Any, frame_receiver: Any, wait_response: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - the library's signature
        # The library takes a refused virtual host for a broken frame, and its reason is lost.
        receiver: Any = _Frames(frame_receiver)
        return await aiormq.Connection._rpc(request, writer, receiver, wait_response)  # noqa: SLF001 - of the base class


def place_of(url: URL) -> Place:
    """Return where *url* leads, without credentials."""
    vhost = url.path.removeprefix("/") or "/"
    return Place(f"{url.host}:{url.port or 5672}", url.user or "guest", vhost)


@asynccontextmanager
async def connected(url: URL, name: str, timeout_seconds: float) -> AsyncGenerator[aiormq.Connection]:
    """Connect once, and close in the end.

    Raises:
        NoBrokerError: not connected within *timeout_seconds*; says why.

    """
    amqp = _Amqp(url, client_properties={"connection_name": name})
    try:
        async with asyncio.timeout(timeout_seconds):
            await amqp.connect()  # pyright: ignore[reportUnknownMemberType]
    except TimeoutError as error:
        detail = f"nothing there speaks AMQP within {timeout_seconds:g} s"
        raise NoBrokerError(NoBroker(place_of(url), Obstacle.UNREACHABLE, detail)) from error
    except (AMQPError, OSError) as error:
        raise NoBrokerError(NoBroker(place_of(url), _obstacle(error), describe(error))) from error
    try:
        yield amqp
    finally:
        await _close(amqp)


def _obstacle(error: Exception) -> Obstacle:
    match error:
        case ProbableAuthenticationError():
            return Obstacle.LOGIN
        case ConnectionClosed() | InvalidFrameError():
            return Obstacle.VHOST
        case _ if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            return Obstacle.TLS
        case OSError():
            return Obstacle.UNREACHABLE
        case _:
            return Obstacle.OTHER


async def _close(amqp: aiormq.Connection) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            with lost_when_gone():
                await amqp.close()
    except (LostError, TimeoutError):
        # Gone, or blocked: the broker closes it when the heartbeats end.
        return
