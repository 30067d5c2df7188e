"""What is left when everybody has come to rest: in queues, outboxes, dead letters and actors."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import redis.asyncio

from broker_actors import ActorSystem
from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.core.codec import decode
from broker_actors.core.errors import UnroutableError
from broker_actors.ports.transport import Delivery
from tests.checker.history import Letter
from tests.soak.actors import AccountRef
from tests.soak.reading import State
from tests.soak.sites import Site

TYPE: Final = "Account"
#: Of an ask that waits behind everything an actor has to do.
ASK_SECONDS: Final = 60.0
#: Actors read at a time.
TOGETHER: Final = 50
_PAGE: Final = 1_000


async def left(system: ActorSystem, site: Site) -> dict[str, int]:
    """Return what should be empty and is not."""
    transport, found = system.backend.transport, dict[str, int]()
    vhost = urlsplit(site.amqp_url).path.removeprefix("/") or "/"
    queues = await asyncio.to_thread(site.brokers[0].vhosts.quorum_queues)
    for name in sorted(name for where, name in queues if where == vhost):
        if not name.startswith((topology.DEAD, topology.PROBE)):
            found[name] = (await transport.depth(name)).ready
    found["outboxes"] = sum([one.undispatched async for one in _actors(system)])
    found["parkings"] = await _parked(site)
    return {name: count for name, count in found.items() if count}


async def actors_of(system: ActorSystem) -> list[str]:
    """Return the ids of all actors there are."""
    return [one.address.id async for one in _actors(system)]


async def say(system: ActorSystem, actors: Collection[str]) -> dict[str, State]:
    """Return what *actors* say they hold."""
    permits = asyncio.Semaphore(TOGETHER)

    async def ask(actor: str) -> State:
        async with permits:
            ref = system.ref(AccountRef, actor).with_options(timeout=ASK_SECONDS)
            return State.model_validate(await ref.hold())

    return dict(zip(actors, await asyncio.gather(*map(ask, actors)), strict=True))


async def stored(system: ActorSystem, actors: Collection[str]) -> dict[str, State]:
    """Return what the store holds of *actors*."""
    found: dict[str, State] = {}
    for actor in actors:
        snapshot = await system.backend.store.peek(Address(TYPE, actor))
        state = None if snapshot is None or snapshot.state is None else decode(snapshot.state)
        kept = cast("Mapping[str, Any]", state or {}).get("s", {})
        found[actor] = State.model_validate(kept)
    return found


async def letters(system: ActorSystem) -> list[Letter]:
    """Take every dead letter there is."""
    return [
        letter
        for queue in (topology.dead_queue(TYPE), topology.DEAD)
        for letter in await _take(system, queue)
    ]


async def _take(system: ActorSystem, queue: str) -> list[Letter]:
    transport = system.backend.transport
    try:
        count = (await transport.depth(queue)).ready
    except UnroutableError:
        return []  # nobody has declared it, so nothing was ever put in
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    consumer = await transport.consume(queue, arrived.put_nowait, prefetch=100)
    found = list[Letter]()
    for _ in range(count):
        delivery = await arrived.get()
        delivery.ack()
        found.append(_read(dead.read(delivery.message)))
    await consumer.close()
    return found


def _read(letter: dead.DeadLetter) -> Letter:
    match decode(letter.message.body):
        case {"args": [str(name), *_]}:
            return Letter(letter.id, name, letter.reason)
        case _:
            return Letter(letter.id, f"{letter.message.body[:80]!r}", letter.reason)


async def _actors(system: ActorSystem) -> Any:  # noqa: ANN401 - an iterator of what the port lists
    after = ""
    while True:
        page = await system.backend.store.actors(TYPE, after=after, limit=_PAGE)
        for one in page:
            yield one
        if len(page) < _PAGE:
            return
        after = page[-1].address.id


async def _parked(site: Site) -> int:
    """Return how many actors have parked messages, by the names of the store's keys."""
    async with redis.asyncio.Redis.from_url(site.store.url) as client:
        return len([key async for key in client.scan_iter(match="*:park*", count=_PAGE)])
