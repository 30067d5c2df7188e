"""The commands of `actors`: what the store holds, read without waking anybody."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from broker_actors.bootstrap.backend import Backend
from broker_actors.bootstrap.standstill import read_parked
from broker_actors.cli import options, parking_views, running
from broker_actors.cli.actor_views import (
    OUTBOX_COLUMNS,
    Places,
    document,
    fields,
    full_document,
    outbox_row,
    state_text,
    table,
)
from broker_actors.cli.declared import layout_of
from broker_actors.cli.output import ERR, OUT, printable, show_json, show_table
from broker_actors.core.address import Address, check_id, check_type
from broker_actors.core.errors import PlatformError
from broker_actors.core.parking import Parked
from broker_actors.ports.listing import PAGE_MAX, Summary
from broker_actors.ports.store import Snapshot

app = typer.Typer(
    name="actors",
    no_args_is_help=True,
    help="Look at actors where they lie in the store. Nothing is sent to them, and none is woken.",
)

LISTED: Final = 1_000


@app.command("list")
def list_(  # noqa: PLR0913 - each parameter is an argument or option of the command
    actor_type: options.ActorType,
    *,
    after: Annotated[
        str, typer.Option(metavar="ID", help="Go on behind this actor, the last of the page before.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX, help="Show at most so many.")] = LISTED,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all of them: about 1 kB of memory each.")
    ] = False,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """List the actors of a type that were ever called, in an order that stays.

    CLAIMED is when a worker last took the actor up, BYTES the size of its state, UNDISPATCHED what
    its turns have sent and the broker has not yet confirmed, WORKER who consumes its mailbox.
    """

    async def collect() -> tuple[Sequence[Summary], Places]:
        check_type(actor_type)
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            places = await _places(backend, actor_type)
            begin = check_id(after) if after else ""
            if everything:
                return await _all(backend, actor_type, begin), places
            return await backend.store.actors(actor_type, after=begin, limit=limit), places

    found, places = running.run(collect(), as_json=as_json)
    goes_on = not everything and len(found) == limit
    last = found[-1].address.id if found else after
    if as_json:
        show_json({"actors": [document(one, places) for one in found], "next": last if goes_on else None})
        return
    if found:
        show_table(*table(found, places))
    else:
        ERR.print(printable(f"no actors of {actor_type}" + (f" behind {after}" if after else "")))
    if goes_on:
        ERR.print(printable(f"the first {limit}; there may be more: --after {shlex.quote(last)}, or --all"))


@app.command()
def show(
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Show one actor: its last committed state, where it is, what it has to send, and what it has parked."""

    async def find() -> tuple[Snapshot, list[Parked | None], Places, int]:
        address = Address(check_type(actor_type), check_id(actor_id))
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            snapshot = await backend.store.peek(address)
            if snapshot is None:
                raise PlatformError(f"no actor {address}: nobody has called it yet")
            parked = read_parked(await backend.store.parking(address))
            return snapshot, parked, await _places(backend, actor_type), backend.clock.now_ms()

    snapshot, parked, places, now_ms = running.run(find(), as_json=as_json)
    if as_json:
        show_json({**full_document(snapshot, places), "parking": parking_views.documents(parked)})
        return
    for name, value in fields(snapshot, places, now_ms).items():
        OUT.print(f"{name:<12}{printable(value)}")
    if snapshot.state is not None:
        OUT.print()
        OUT.print(printable(state_text(snapshot), keep="\n"))
    if snapshot.outbox:
        OUT.print()
        show_table(OUTBOX_COLUMNS, [outbox_row(key, item) for key, item in snapshot.outbox.items()])
    if parked:
        OUT.print()
        show_table(
            parking_views.COLUMNS, [parking_views.row(n, one) for n, one in enumerate(parked, start=1)]
        )
    if (more := snapshot.parked.entries - len(parked)) > 0:
        ERR.print(f"and {more} parked behind these")


async def _places(backend: Backend, actor_type: str) -> Places:
    layout = await layout_of(backend.store, actor_type)
    return Places(layout, [member for member, _ in await backend.members.everyone()])


async def _all(backend: Backend, actor_type: str, after: str) -> Sequence[Summary]:
    found: list[Summary] = []
    while True:
        page = await backend.store.actors(actor_type, after=after, limit=PAGE_MAX)
        found += page
        if len(page) < PAGE_MAX:
            return found
        after = page[-1].address.id
