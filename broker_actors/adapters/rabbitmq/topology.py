"""Declares exchanges, queues and bindings, and explains what does not match.

Declarations are sent without waiting for one another (`nowait`), followed by one question
with an answer: a broker works through a channel in order, so its answer means that all of
them are done. A failed one closes the channel and says why.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Final

from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, ChannelClosed
from pamqp.common import FieldTable

from broker_actors.adapters.rabbitmq.channels import LostError, close_channel, describe, ended, lost_when_gone
from broker_actors.adapters.rabbitmq.connection import Connection
from broker_actors.core.errors import BrokerUnavailableError, ConfigurationError, TopologyMismatchError
from broker_actors.core.topology import Binding, Declaration, Exchange, Queue

#: How long the reason of a channel's end may take to arrive after a call on it failed.
_REASON_SECONDS: Final = 5.0
_MISMATCH: Final = re.compile(
    r"inequivalent arg '(?P<argument>[^']*)' for (?P<kind>\w+) '(?P<name>[^']*)' in vhost '[^']*': "
    r"received (?P<declared>.*) but current is (?P<current>.*)",
    re.DOTALL,
)


async def declare(
    connection: Connection, declarations: Iterable[Declaration], timeout_seconds: float
) -> None:
    """Make sure that *declarations* exist, in the order given, on a channel of its own.

    Raises:
        TopologyMismatchError: one exists with other arguments, or refers to what does not exist.
        ConfigurationError: the user may not declare it.
        BrokerUnavailableError: not done within the deadline.

    """
    todo = tuple(declarations)
    try:
        async with asyncio.timeout(timeout_seconds):
            while not await _declared(connection, todo):
                pass
    except TimeoutError:
        why = connection.why_down or "the broker did not answer"
        text = f"{connection.server}: not declared within {timeout_seconds} s: {why}"
        raise BrokerUnavailableError(text) from None


async def _declared(connection: Connection, todo: Sequence[Declaration]) -> bool:
    """Declare all; return False when the connection was lost on the way."""
    channel = await connection.channel(confirms=False)
    try:
        with lost_when_gone():
            for declaration in todo:
                await _send(channel, declaration)
            # Any question will do; this one changes nothing.
            await channel.basic_qos(prefetch_count=1)
    except LostError:
        async with asyncio.timeout(_REASON_SECONDS):
            reason = await ended(channel)
        if isinstance(reason, ChannelClosed):
            raise _explained(reason) from reason
        return False
    finally:
        await close_channel(channel)
    return True


async def _send(channel: AbstractChannel, declaration: Declaration) -> None:
    match declaration:
        case Exchange(name, kind, alternate):
            more: FieldTable | None = {"alternate-exchange": alternate} if alternate else None
            await channel.exchange_declare(
                name, exchange_type=kind, durable=True, nowait=True, arguments=more
            )
        case Queue(name, arguments):
            await channel.queue_declare(name, durable=True, nowait=True, arguments=dict(arguments))
        case Binding(source, target, key, to_exchange=True):
            await channel.exchange_bind(target, source, key, nowait=True)
        case Binding(source, target, key):
            await channel.queue_bind(target, source, key, nowait=True)


def difference(refusal: str) -> str:
    """Return what differs, by the broker's *refusal* of a declaration; the refusal if it does not say."""
    found = _MISMATCH.search(refusal)
    if found is None:
        return refusal
    return f"{found['argument']} is {found['current']}, declared was {found['declared']}"


def _explained(reason: ChannelClosed) -> ConfigurationError:
    text = describe(reason)
    if isinstance(reason, ChannelAccessRefused):
        return ConfigurationError(f"the broker's user may not declare this: {text}")
    if (found := _MISMATCH.search(text)) is None:
        return TopologyMismatchError(f"the broker refused a declaration: {text}")
    kind, name = found["kind"], found["name"]
    return TopologyMismatchError(
        f"{kind} {name} exists with other arguments: {difference(text)}. Settle which one is right; "
        f"to change it, empty and delete the {kind} in the broker and start again, or use a new layout "
        "generation."
    )
