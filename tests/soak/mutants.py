"""Processes with one fault each that only real servers can show.

What belongs here: faults of the adapters. Those of core and runtime are in
`tests/simulation/mutants.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import repeat
from types import MappingProxyType
from typing import Final
from unittest.mock import patch

from aiormq.abc import AbstractChannel

from broker_actors.adapters.rabbitmq import channels, consumer, publisher, topology
from broker_actors.core.topology import Declaration, Queue

#: Names the mutant that a process is to be.
MUTANT: Final = "SOAK_MUTANT"
#: What passes between the end of a consumer and that of its channel, as if what it has were finished.
FINISH_SECONDS: Final = 0.3
DEFAULT_LIMIT: Final = 20


def reused_message_id() -> AbstractContextManager[object]:
    """Publish everything under one message id, by the client library, which goes by it."""

    def message_ids(incarnation: str) -> Iterator[str]:
        return repeat(incarnation)

    def passages_of(_channel: object) -> None:
        return None

    return patch.multiple(publisher, message_ids=message_ids, passages_of=passages_of)


def cancel_before_close() -> AbstractContextManager[object]:
    """Hand over by `basic.cancel`, and give back what is not acknowledged after that."""
    right = channels.close_channel

    async def close_channel(channel: AbstractChannel) -> None:
        if not channel.is_closed:
            for tag in list(channel.consumers):  # type: ignore[attr-defined]  # of the library's own channel
                await channel.basic_cancel(tag)
            await asyncio.sleep(FINISH_SECONDS)
        await right(channel)

    return patch.object(consumer, "close_channel", close_channel)


def default_delivery_limit() -> AbstractContextManager[object]:
    """Declare queues with the delivery limit that RabbitMQ 4 gives those without one."""
    right = topology._send

    async def send(channel: AbstractChannel, declaration: Declaration) -> None:
        if isinstance(declaration, Queue) and "x-delivery-limit" in declaration.arguments:
            limited = {**declaration.arguments, "x-delivery-limit": DEFAULT_LIMIT}
            declaration = replace(declaration, arguments=limited)
        await right(channel, declaration)

    return patch.object(topology, "_send", send)


MUTANTS: Final[Mapping[str, Callable[[], AbstractContextManager[object]]]] = MappingProxyType(
    {
        "reused message id": reused_message_id,
        "hand-over by basic.cancel": cancel_before_close,
        "default delivery limit": default_delivery_limit,
    }
)


def become(name: str) -> None:
    """Make this process the mutant *name*, to its end; itself for no name."""
    if name:
        MUTANTS[name]().__enter__()
