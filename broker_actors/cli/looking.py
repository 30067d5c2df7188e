"""Looking at mailboxes: what waits in each, since when, and who has it in hand.

Invariant: looking changes nothing that a worker could notice but one thing: the first messages of a
mailbox that nobody consumes are delivered and given back, in order. For that the reader has the window
that workers have, as the port demands of every consumer of a mailbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from broker_actors.bootstrap.backend import Backend
from broker_actors.cli.declared import layout_of
from broker_actors.cli.letters import LETTERS_MAX
from broker_actors.cli.serving import in_rank
from broker_actors.core import dead, topology
from broker_actors.core.address import check_type
from broker_actors.core.errors import UnroutableError
from broker_actors.core.member import Held, Member, Report
from broker_actors.core.wire import WireMessage
from broker_actors.ports.transport import Delivery, Depth, Transport
from broker_actors.runtime.punctual import WINDOW as RELAY_WINDOW

#: Questions to the broker at a time.
LOOKS_MAX: Final = 16
#: Mailboxes of which the head is looked at, at a time: each brings up to a window of messages.
PEEKS_MAX: Final = 8
#: How long the head of a mailbox may take to come; somebody else may have begun to consume it.
PEEK_SECONDS: Final = 2.0
#: Of more dead letters the oldest is not looked at here: a reader of theirs is brought all of them.
DEAD_PEEKED_MAX: Final = 1_000

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Place:
    """A queue to look at.

    Attributes:
        queue: its name.
        actor_type: whose it is; empty for those that all share.
        window: the prefetch of everybody who consumes it.
        is_dead: whether it holds dead letters.
        together: the mailboxes that are shared out with it, itself among them; none if it is not.

    """

    queue: str
    actor_type: str
    window: int
    is_dead: bool = False
    together: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """How a queue stands.

    Attributes:
        place: which one.
        depth: what the broker says; None when there is no such queue.
        oldest_ms: when the oldest message known of was sent, or died, in Unix milliseconds; 0 if unknown.
        worker: who consumes it: host and process, as far as workers say.
        held: deliveries in the worker's hands.
        trouble: why that worker does not do its work now, as it says; empty if it does.

    """

    place: Place
    depth: Depth | None
    oldest_ms: int = 0
    worker: str = ""
    held: int = 0
    trouble: str = ""


async def places(backend: Backend, types: Collection[str], prefetch: int) -> list[Place]:
    """Return the queues of *types*, or of every type there is, and those that all types share.

    Args:
        backend: the open ports.
        types: actor types; none for all.
        prefetch: that of the workers.

    Raises:
        UnknownActorTypeError: nobody has declared one of *types*.
        StoreUnavailableError: no answer within the deadline.

    """
    wanted = sorted({check_type(name) for name in types}) or await backend.store.types()
    of_types = await _all(wanted, lambda name: _places_of(backend, name, prefetch), LOOKS_MAX)
    shared = [Place(name, "", RELAY_WINDOW) for name in (topology.DUE, topology.UNROUTABLE)]
    dead_ones = [Place(topology.dead_queue(name), name, LETTERS_MAX, is_dead=True) for name in wanted]
    given_up = Place(topology.DEAD, "", LETTERS_MAX, is_dead=True)
    return [*(place for some in of_types for place in some), *shared, *dead_ones, given_up]


async def look(backend: Backend, queues: Sequence[Place]) -> list[Seen]:
    """Return how *queues* stand, in the same order.

    Raises:
        BrokerUnavailableError: no answer within the deadline.
        StoreUnavailableError: no answer within the deadline.

    """
    everyone = await backend.members.everyone()
    transport = backend.transport
    depths = await _all(queues, lambda place: _depth(transport, place.queue), LOOKS_MAX)
    idle = [
        place
        for place, depth in zip(queues, depths, strict=True)
        if depth is not None and _waits(place, depth)
    ]
    heads = await _all(idle, lambda place: peek(transport, place), PEEKS_MAX)
    oldest = {place.queue: ms for place, ms in zip(idle, heads, strict=True)}
    ranked: dict[str, list[str]] = {}
    for place in queues:
        if place.queue not in ranked:
            ranked |= in_rank(place.together, place.actor_type, [member for member, _ in everyone])
    return [
        _seen(Seen(place, depth, oldest.get(place.queue, 0)), ranked.get(place.queue, ()), everyone)
        for place, depth in zip(queues, depths, strict=True)
    ]


async def peek(transport: Transport, place: Place) -> int:
    """Return when the message at the head of *place* was sent, or died, and leave it there; 0 if unknown.

    Raises:
        BrokerUnavailableError: no connection within the deadline.

    """
    head: asyncio.Future[WireMessage] = asyncio.get_running_loop().create_future()

    def note(delivery: Delivery) -> None:
        if not head.done():
            head.set_result(delivery.message)

    try:
        consumer = await transport.consume(place.queue, note, prefetch=place.window)
    except UnroutableError:
        # Deleted meanwhile.
        return 0
    try:
        async with asyncio.timeout(PEEK_SECONDS):
            message = await head
    except TimeoutError:
        return 0
    finally:
        await consumer.close()
    died_ms = dead.read(message).died_ms if place.is_dead else 0
    return died_ms or message.timestamp_seconds * 1000


async def _places_of(backend: Backend, actor_type: str, prefetch: int) -> list[Place]:
    layout = await layout_of(backend.store, actor_type)
    names = layout.mailboxes()
    if layout.dedicated:
        names = [layout.mailbox_of(actor_id) for actor_id in await backend.store.spawned(actor_type)]
        return [Place(name, actor_type, prefetch, together=[name]) for name in names]
    return [Place(name, actor_type, prefetch, together=names) for name in names]


async def _depth(transport: Transport, queue: str) -> Depth | None:
    try:
        return await transport.depth(queue)
    except UnroutableError:
        return None


def _waits(place: Place, depth: Depth) -> bool:
    """Return whether something waits in *place* that can be looked at without getting into anybody's way."""
    is_too_much = place.is_dead and depth.ready > DEAD_PEEKED_MAX
    return depth.ready > 0 and depth.consumers == 0 and not is_too_much


def _seen(seen: Seen, ranked: Iterable[str], everyone: Iterable[tuple[Member, Report]]) -> Seen:
    """Return *seen* with who serves it, of those that are *ranked* for it."""
    queue = seen.place.queue
    consuming = {
        member.name: (member, report.held.get(queue, Held(0)))
        for member, report in everyone
        if queue in member.consuming or queue in report.held
    }
    names = [name for name in ranked if name in consuming]
    if not names:
        return seen
    # Who has something in hand is the active one; else whoever should be.
    member, held = consuming[max(names, key=lambda name: consuming[name][1].count)]
    oldest_ms = seen.oldest_ms or held.oldest_ms
    worker = member.place or member.name
    return replace(seen, oldest_ms=oldest_ms, worker=worker, held=held.count, trouble=member.health)


async def _all(items: Iterable[_T], ask: Callable[[_T], Awaitable[_R]], at_once: int) -> list[_R]:
    """Return what *ask* says of each of *items*, asking so many at once."""
    room = asyncio.Semaphore(at_once)

    async def one(item: _T) -> _R:
        async with room:
            return await ask(item)

    # Not a group of tasks: its error would be a group, too, and one of them is what there is to say.
    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
