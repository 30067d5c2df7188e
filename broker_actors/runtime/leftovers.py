"""Sending what was committed before: by the relay, and by whoever claims the actor next.

Order holds per target: what is refused holds back what follows it to the same target, and
nothing else. Invariant: an item leaves the outbox only after its own confirm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.errors import PlatformError, UndecodableError
from broker_actors.core.events import Trouble
from broker_actors.core.outgoing import Destination, Outgoing, unpack
from broker_actors.core.unanswered import reply_of
from broker_actors.core.unsent import Backlog
from broker_actors.ports.commit import OutboxKey
from broker_actors.runtime.services import Services

#: Targets of one outbox that are sent to at a time.
TARGETS_AT_ONCE: Final = 32

_Line = list[tuple[OutboxKey, Outgoing]]


async def send_leftovers(
    services: Services,
    address: Address,
    outbox: Mapping[OutboxKey, bytes],
    *,
    is_due: Callable[[Outgoing], bool] = lambda _: True,
) -> Backlog:
    """Send the items of *outbox* and clear those that are confirmed; what fails is observed.

    Args:
        services: the ports.
        address: whose outbox it is.
        outbox: its items, in order.
        is_due: whether an item may be sent; the first one to a target that may not holds back the rest.

    Returns:
        What is left, held back.

    """
    backlog, lines = _read(services, address, outbox)
    places = asyncio.Semaphore(TARGETS_AT_ONCE)

    async def send(line: _Line) -> None:
        async with places:
            due = list(takewhile(lambda entry: is_due(entry[1]), line))
            sent = await _send_line(services, address, backlog, due)
            for key, _ in line[sent:]:
                backlog.hold((key.version, key.index))

    async with asyncio.TaskGroup() as group:
        for line in lines:
            group.create_task(send(line))
    return backlog


def _read(
    services: Services, address: Address, outbox: Mapping[OutboxKey, bytes]
) -> tuple[Backlog, list[_Line]]:
    backlog = Backlog()
    lines: dict[str, _Line] = {}
    alone: list[_Line] = []
    for key, data in outbox.items():
        try:
            item = unpack(data)
        except PlatformError as error:
            # It stays for whoever can read it; see `broker-actors actors show`.
            services.observer.observe(Trouble(f"outbox of {address}", str(error)))
            continue
        backlog.add((key.version, key.index), item)
        if item.target:
            lines.setdefault(item.target, []).append((key, item))
        else:
            alone.append([(key, item)])
    return backlog, [*lines.values(), *alone]


async def _send(services: Services, backlog: Backlog, item: Outgoing) -> None:
    if item.destination is Destination.REPLY:
        # Whoever is gone needs none.
        message = item.message
        await services.replies.send(message.reply_to, message.correlation_id, reply_of(item))
        return
    await services.dispatch.send(item.with_low(backlog.low(item)) if item.seq else item)


async def _send_line(services: Services, address: Address, backlog: Backlog, line: _Line) -> int:
    """Send *line* up to the first refusal; return how many of it left."""
    for sent, (key, item) in enumerate(line):
        try:
            await _send(services, backlog, item)
            backlog.confirm([(key.version, key.index)])
            await services.store.dispatched(address, [key])
        except (PlatformError, UndecodableError) as error:
            services.observer.observe(Trouble(f"outbox of {address}", str(error)))
            return sent
    return len(line)
