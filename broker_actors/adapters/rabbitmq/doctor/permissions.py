"""What the user may do, by trying it on names that nobody has.

The broker checks permissions before it looks for what is named, so that a name of nobody tells
them without touching anything.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from functools import partial

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused
from pamqp.commands import Basic

from broker_actors.adapters.rabbitmq.doctor.asking import Asker
from broker_actors.core.diagnosis.access import Access, Refusal, Swallowed
from broker_actors.core.topology import ACTORS, DEAD, Layout, delay_route

#: Publishing is tried on these: mailboxes, dead letters, and the first of the delay levels.
_PUBLISHED_TO = (ACTORS, DEAD, delay_route(1).exchange)


async def permissions(amqp: aiormq.Connection, layouts: Sequence[Layout]) -> AsyncIterator[Refusal]:
    """Yield what the user may not do.

    Raises:
        SilentError: the broker does not answer.
        LostError: the connection is gone.

    """
    asker = Asker(amqp)
    try:
        for prefix in [ACTORS, *(f"{ACTORS}.{one.type}.g{one.generation}" for one in layouts)]:
            async for refusal in _on_queue(asker, f"{prefix}.doctor-{secrets.token_hex(6)}"):
                yield refusal
    finally:
        await asker.close()


async def publishing(amqp: aiormq.Connection) -> AsyncIterator[Refusal | Swallowed]:
    """Yield exchanges the user may not publish to, and those that confirm what reaches nobody.

    On a connection of its own: a broker that is short of memory or disk stops reading from it.

    Raises:
        SilentError: the broker does not answer, or does not read.
        LostError: the connection is gone.

    """
    asker = Asker(amqp, confirms=True)
    try:
        for exchange in _PUBLISHED_TO:
            answer = await asker.ask(partial(_publish_to_nobody, exchange))
            if isinstance(answer, ChannelAccessRefused):
                yield Refusal(Access.WRITE, exchange)
            elif isinstance(answer, Basic.Ack):
                yield Swallowed(exchange)
    finally:
        await asker.close()


async def _publish_to_nobody(exchange: str, channel: AbstractChannel) -> object:
    # Bound to nothing, so that it comes back. Only an alternate exchange, which should not be there, can take
    # it somewhere; whoever finds it then can read what it is.
    key = f"doctor-{secrets.token_hex(6)}"
    properties = Basic.Properties(expiration="0", content_type="text/plain", message_type="doctor")
    return await channel.basic_publish(
        b"broker-actors doctor was here",
        exchange=exchange,
        routing_key=key,
        properties=properties,
        mandatory=True,
    )


async def _on_queue(asker: Asker, nobody: str) -> AsyncIterator[Refusal]:
    if isinstance(await asker.ask(lambda channel: channel.queue_delete(nobody)), ChannelAccessRefused):
        yield Refusal(Access.CONFIGURE, nobody)
    if isinstance(await asker.ask(lambda channel: channel.basic_get(nobody)), ChannelAccessRefused):
        yield Refusal(Access.READ, nobody)
    # Needs to write to the queue and to read from the exchange, in this order.
    unbound = await asker.ask(lambda channel: channel.queue_unbind(nobody, ACTORS, nobody))
    if isinstance(unbound, ChannelAccessRefused):
        on_exchange = f"exchange '{ACTORS}'" in str(unbound.args)
        yield Refusal(Access.READ, ACTORS) if on_exchange else Refusal(Access.WRITE, nobody)
