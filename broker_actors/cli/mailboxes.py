"""The command `mailboxes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from broker_actors.cli import ages, options, running
from broker_actors.cli.looking import Seen, look, places
from broker_actors.cli.output import printable, show_json, show_table


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
    READY waits in the broker, HELD is in the hands of the worker, OLDEST is the age of the
    oldest message known of: of one in the worker's hands, or, where nobody consumes, of the first.

    Example: broker-actors mailboxes Order
    """

    async def find() -> tuple[list[Seen], int]:
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            queues = await places(backend, types or (), system.settings.prefetch)
            return await look(backend, queues), backend.clock.now_ms()

    seen, now_ms = running.run(find(), as_json=as_json)
    if as_json:
        show_json([_document(one, now_ms) for one in seen])
    else:
        columns = ("mailbox", "ready", "consumers", "held", "oldest", "worker")
        show_table(columns, [_row(one, now_ms) for one in seen])


def _row(seen: Seen, now_ms: int) -> Sequence[str]:
    if seen.depth is None:
        return seen.place.queue, "missing", "-", "-", "-", "-"
    age_seconds = _age_seconds(seen, now_ms)
    return (
        seen.place.queue,
        str(seen.depth.ready),
        str(seen.depth.consumers),
        str(seen.held) if seen.worker else "-",
        "-" if age_seconds is None else ages.shown(age_seconds),
        _worker(seen),
    )


def _worker(seen: Seen) -> str:
    if seen.trouble:
        return f"{seen.worker}, not ready: {printable(seen.trouble)}"
    return seen.worker or "-"


def _document(seen: Seen, now_ms: int) -> dict[str, object]:
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
    }


def _age_seconds(seen: Seen, now_ms: int) -> float | None:
    return max(0, now_ms - seen.oldest_ms) / 1000 if seen.oldest_ms else None
