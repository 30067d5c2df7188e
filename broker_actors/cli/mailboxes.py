"""The command `mailboxes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from broker_actors.bootstrap.standstill import standing_still
from broker_actors.cli import ages, options, running
from broker_actors.cli.looking import Place, Seen, look, places
from broker_actors.cli.output import ERR, printable, show_json, show_table
from broker_actors.core.diagnosis.standstill import Still
from broker_actors.ports.store import Store


def mailboxes(
    types: Annotated[
        list[str] | None, typer.Argument(metavar="TYPE", help="Actor types; all of them by default.")
    ] = None,
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Show what waits in each mailbox, for how long, and which worker has it in hand.

    After the mailboxes come the queues that all types share, and the dead letters.
    READY waits in the broker, HELD is in the hands of the worker, PARKED waits in the store, for actors
    that are suspended, held up or very busy. OLDEST is the age of the oldest message known of in the
    mailbox: of one in the worker's hands, or, where nobody consumes, of the first.

    Example: broker-actors mailboxes Order
    """

    async def find() -> tuple[list[Seen], Parkings, int]:
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            queues = await places(backend, types or (), system.settings.prefetch)
            seen = await look(backend, queues)
            return seen, await _parkings(backend.store, queues), backend.clock.now_ms()

    seen, parkings, now_ms = running.run(find(), as_json=as_json)
    if as_json:
        show_json([_document(one, parkings, now_ms) for one in seen])
        return
    columns = ("mailbox", "ready", "consumers", "held", "parked", "oldest", "worker")
    show_table(columns, [_row(one, parkings, now_ms) for one in seen])
    if stopped := sum(one.suspension is not None or one.is_blocked for one in parkings.found):
        are = "actor is" if stopped == 1 else "actors are"
        ERR.print(f"{stopped} {are} suspended or held up: `broker-actors doctor` says which, and what to do")


@dataclass(frozen=True, slots=True)
class Parkings:
    """What waits in the store.

    Attributes:
        found: the actors that are suspended, or have something parked.
        messages: by mailbox, how many messages its actors have parked; every mailbox of an actor is there.

    """

    found: Sequence[Still]
    messages: Mapping[str, int]


async def _parkings(store: Store, queues: Sequence[Place]) -> Parkings:
    mailboxes_of: dict[str, list[str]] = {}
    for place in queues:
        if place.actor_type and not place.is_dead:
            mailboxes_of.setdefault(place.actor_type, []).append(place.queue)
    found: list[Still] = []
    messages: dict[str, int] = {}
    for actor_type, names in mailboxes_of.items():
        messages |= dict.fromkeys(names, 0)
        layout = await store.recorded_layout(actor_type)
        for one in await standing_still(store, actor_type):
            found.append(one)
            if layout is not None:
                mailbox = layout.mailbox_of(one.address.id)
                messages[mailbox] = messages.get(mailbox, 0) + one.entries
    return Parkings(found, messages)


def _row(seen: Seen, parkings: Parkings, now_ms: int) -> Sequence[str]:
    parked = str(parkings.messages.get(seen.place.queue, "-"))
    if seen.depth is None:
        return seen.place.queue, "missing", "-", "-", parked, "-", "-"
    age_seconds = _age_seconds(seen, now_ms)
    return (
        seen.place.queue,
        str(seen.depth.ready),
        str(seen.depth.consumers),
        str(seen.held) if seen.worker else "-",
        parked,
        "-" if age_seconds is None else ages.shown(age_seconds),
        _worker(seen),
    )


def _worker(seen: Seen) -> str:
    if seen.trouble:
        return f"{seen.worker}, not ready: {printable(seen.trouble)}"
    return seen.worker or "-"


def _document(seen: Seen, parkings: Parkings, now_ms: int) -> dict[str, object]:
    depth = seen.depth
    return {
        "mailbox": seen.place.queue,
        "type": seen.place.actor_type or None,
        "exists": depth is not None,
        "ready": depth.ready if depth is not None else None,
        "consumers": depth.consumers if depth is not None else None,
        "oldest_age_seconds": _age_seconds(seen, now_ms),
        "worker": seen.worker or None,
        "worker_trouble": seen.trouble or None,
        "held": seen.held if seen.worker else None,
        "parked": parkings.messages.get(seen.place.queue),
    }


def _age_seconds(seen: Seen, now_ms: int) -> float | None:
    return max(0, now_ms - seen.oldest_ms) / 1000 if seen.oldest_ms else None
