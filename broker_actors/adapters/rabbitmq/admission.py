"""Whether a broker lets us in, and why not.

Invariant: a refused login or virtual host is told from a broker that is away: the one is cured by
whoever wrote the URL, the other by waiting.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

import aiormq
from aiormq.exceptions import ConnectionClosed, InvalidFrameError, ProbableAuthenticationError
from pamqp import commands
from yarl import URL

from broker_actors.adapters.rabbitmq.channels import describe
from broker_actors.core.diagnosis.reach import NoBroker, Obstacle, Place, judge_no_broker

#: What the broker says to a virtual host that does not exist, or that the user may not use.
_NOT_ALLOWED: Final = 530
#: Refusals that end by themselves: too many connections, or a virtual host that still starts.
_PASSING: Final = ("limit", "is down")


class _Frames:
    """What the library reads during the handshake; a refusal is raised instead of called unexpected."""

    def __init__(self, receiver: Any) -> None:  # noqa: ANN401 - the library does not export its type
        self._receiver = receiver

    async def get_frame(self) -> Any:  # noqa: ANN401 - whatever the library reads
        received = await self._receiver.get_frame()
        if isinstance(received[2], commands.Connection.Close) and received[2].reply_code == _NOT_ALLOWED:
            raise ConnectionClosed(received[2].reply_code, received[2].reply_text)
        return received


class Amqp(aiormq.Connection):
    """A connection of the library that says why it was refused."""

    @staticmethod
    async def _rpc(request: Any, writer: Any, frame_receiver: Any, wait_response: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - the library's signature
        # The library takes a refused virtual host for a broken frame, and its reason is lost.
        receiver: Any = _Frames(frame_receiver)
        return await aiormq.Connection._rpc(request, writer, receiver, wait_response)  # noqa: SLF001 - of the base class


def place_of(url: URL) -> Place:
    """Return where *url* leads, without credentials."""
    vhost = url.path.removeprefix("/") or "/"
    return Place(f"{url.host}:{url.port or 5672}", url.user or "guest", vhost)


def obstacle_of(error: BaseException | None) -> Obstacle:
    """Return what kind of thing kept us out."""
    match error:
        case ProbableAuthenticationError():
            return Obstacle.LOGIN
        case ConnectionClosed() | InvalidFrameError():
            return Obstacle.VHOST
        case _ if isinstance(error, ssl.SSLError):
            return Obstacle.TLS
        case Exception() if isinstance(error.__cause__, ssl.SSLError):
            return Obstacle.TLS
        case OSError():
            return Obstacle.UNREACHABLE
        case _:
            return Obstacle.OTHER


def refusal_of(url: URL, error: BaseException | None) -> str:
    """Return what to tell a person whose connection *error* ended; empty if it may help to try again."""
    match error:
        case ProbableAuthenticationError():
            pass
        case ConnectionClosed(args=(int(code), str(text))) if code == _NOT_ALLOWED and not _is_passing(text):
            pass
        case _:
            return ""
    finding = judge_no_broker(NoBroker(place_of(url), obstacle_of(error), describe(error)))
    return f"{finding.text}. {finding.fix[:1].upper()}{finding.fix[1:]}"


def _is_passing(text: str) -> bool:
    return any(word in text for word in _PASSING)
