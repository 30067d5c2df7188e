"""How declared exchanges and queues stand in the broker, looked at first and then declared again.

Declaring again what exists changes nothing, and the broker says what is different. What does not
exist is not declared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, ChannelClosed, ChannelNotFoundEntity
from pamqp.commands import Queue as QueueMethods
from pamqp.common import FieldTable

from broker_actors.adapters.rabbitmq.channels import describe
from broker_actors.adapters.rabbitmq.doctor.asking import Asker, Question, SilentError
from broker_actors.adapters.rabbitmq.topology import difference
from broker_actors.core.diagnosis.access import Access, Refusal
from broker_actors.core.diagnosis.standing import Leftover, Standing, State
from broker_actors.core.topology import PARTITIONS_MAX, Exchange, Layout, Queue

#: Questions under way at a time: a broker far away is asked in bearable time, a busy one is not flooded.
_LANES: Final = 8
#: Generations before the one in use that are looked for.
_OLD_GENERATIONS_MAX: Final = 5

Found: TypeAlias = tuple[list[Standing], list[Refusal]]


async def standings(amqp: aiormq.Connection, declared: Iterable[Exchange | Queue]) -> Found:
    """Return how each of *declared* stands, in their order, and what could not be declared again.

    Raises:
        LostError: the connection is gone.

    """
    todo = list(enumerate(declared))
    found: dict[int, Standing] = {}
    refusals: dict[int, Refusal] = {}

    async def lane(own: Sequence[tuple[int, Exchange | Queue]]) -> None:
        asker = Asker(amqp)
        try:
            for index, one in own:
                found[index] = await _standing(asker, one)
                if found[index].state is State.UNSEEN:
                    refusals[index] = Refusal(Access.CONFIGURE, one.name)
        finally:
            await asker.close()

    await asyncio.gather(*(lane(todo[n::_LANES]) for n in range(_LANES)))
    return [found[n] for n in sorted(found)], [refusals[n] for n in sorted(refusals)]


async def leftovers(
    amqp: aiormq.Connection, layouts: Sequence[Layout], listed: Iterable[str]
) -> list[Leftover]:
    """Return queues that are still there and should not be.

    Args:
        amqp: an open connection.
        layouts: those in use; their earlier generations are looked for by name.
        listed: names that are known to be left over.

    Raises:
        LostError: the connection is gone.

    """
    asker = Asker(amqp)
    found: dict[str, Leftover] = {}
    try:
        for name in listed:
            await _look(asker, name, found)
        for layout in layouts:
            for generation in _earlier(layout):
                for mailbox in Layout(layout.type, generation, PARTITIONS_MAX).mailboxes():
                    # Partitions are made in order and all at once: behind the first gap there is none.
                    if not await _look(asker, mailbox, found):
                        break
    finally:
        await asker.close()
    return list(found.values())


def _earlier(layout: Layout) -> Iterator[int]:
    yield from range(max(1, layout.generation - _OLD_GENERATIONS_MAX), layout.generation)


async def _look(asker: Asker, name: str, found: dict[str, Leftover]) -> bool:
    try:
        answer = await asker.ask(lambda channel: channel.queue_declare(name, passive=True))
    except SilentError:
        return True
    if isinstance(answer, QueueMethods.DeclareOk):
        found[name] = Leftover(name, answer.message_count or 0, answer.consumer_count or 0)
    return isinstance(answer, QueueMethods.DeclareOk)


async def _standing(asker: Asker, one: Exchange | Queue) -> Standing:
    try:
        seen = await asker.ask(_question(one, passive=True))
        if isinstance(seen, ChannelNotFoundEntity):
            return Standing(one, State.MISSING)
        answer = await asker.ask(_question(one, passive=False))
    except SilentError:
        return Standing(one, State.SILENT)
    messages = consumers = 0
    if isinstance(seen, QueueMethods.DeclareOk):
        messages, consumers = seen.message_count or 0, seen.consumer_count or 0
    match answer:
        case ChannelAccessRefused():
            return Standing(one, State.UNSEEN, "", messages, consumers)
        case ChannelClosed():
            return Standing(one, State.DIFFERENT, difference(describe(answer)), messages, consumers)
        case _:
            return Standing(one, State.AS_DECLARED, "", messages, consumers)


def _question(one: Exchange | Queue, *, passive: bool) -> Question[object]:
    async def ask(channel: AbstractChannel) -> object:
        match one:
            case Exchange(name, kind, alternate):
                more: FieldTable | None = {"alternate-exchange": alternate} if alternate else None
                return await channel.exchange_declare(
                    name, exchange_type=kind, durable=True, passive=passive, arguments=more
                )
            case Queue(name, arguments):
                return await channel.queue_declare(
                    name, durable=True, passive=passive, arguments=dict(arguments)
                )

    return ask
