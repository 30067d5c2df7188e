"""How channels and connections of the client library end, and what their calls raise then."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias, cast

from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError, ChannelInvalidStateError

from broker_actors.adapters.rabbitmq.options import CLOSE_SECONDS
from broker_actors.adapters.rabbitmq.remains import drop_remains

_GONE: Final = (AMQPError, ChannelInvalidStateError, ConnectionError, RuntimeError)

#: Done when a channel or connection has ended, with the reason.
Closing: TypeAlias = asyncio.Future[None]


class LostError(Exception):
    """The channel or connection under a call is gone. Never leaves this package."""


@contextmanager
def lost_when_gone() -> Generator[None]:
    """Turn what the library raises on a dead channel into `LostError`.

    It rejects waiting calls with the reason of the end, and that may be a CancelledError
    although nobody cancelled the caller.

    Raises:
        LostError: the channel or its connection ended.

    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise LostError("closed") from error
    except _GONE as error:
        raise LostError(describe(error)) from error


def closing_of(resource: AbstractChannel | AbstractConnection) -> Closing:
    """Return what is done when *resource* has ended."""
    # The library leaves open what its future holds.
    return cast("Closing", resource.closing)  # pyright: ignore[reportUnknownMemberType]


async def ended(resource: AbstractChannel | AbstractConnection) -> BaseException | None:
    """Return why *resource* ended, when it has; None when without a reason."""
    closing = closing_of(resource)
    await asyncio.wait((closing,))
    return reason_of(closing)


def reason_of(closing: Closing) -> BaseException | None:
    """Return the reason a `closing` future that is done carries."""
    return asyncio.CancelledError() if closing.cancelled() else closing.exception()


def describe(reason: BaseException | None) -> str:
    """Return *reason* in one readable line."""
    if reason is None or isinstance(reason, asyncio.CancelledError):
        return "closed"
    text = " ".join(str(part) for part in reason.args if part is not None)
    if isinstance(reason, AMQPError) and text:
        return text
    return f"{type(reason).__name__}: {text}" if text else type(reason).__name__


async def close_channel(channel: AbstractChannel) -> None:
    """Close *channel* in good order if that can still be done; never raises for a dead one."""
    try:
        if not channel.is_closed:
            # Not cancelled when the broker takes its time: the library would ask to close once more, and
            # a broker that has closed meanwhile ends the connection for it. The connection owns the task.
            channel.connection.create_task(_close(channel))  # pyright: ignore[reportUnknownMemberType]
            # Of one that is deaf the broker notices by the heartbeat.
            await asyncio.wait((closing_of(channel),), timeout=CLOSE_SECONDS)
    finally:
        drop_remains(channel)


async def _close(channel: AbstractChannel) -> None:
    # Of one that is gone nothing is left to close.
    with suppress(LostError), lost_when_gone():
        await channel.close(LostError("closed by this side"))
