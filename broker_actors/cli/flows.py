"""The commands of `flows`: where durable flows stand, what they wait for, and letting them go on or end."""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

from broker_actors.bootstrap.backend import Backend
from broker_actors.cli import arguments, options, running
from broker_actors.cli.declared import layout_of
from broker_actors.cli.flow_views import (
    COLUMNS,
    TRAIL_COLUMNS,
    document,
    fields,
    row,
    run_of,
    shared_of,
    trail,
)
from broker_actors.cli.flow_wait import wait
from broker_actors.cli.output import ERR, OUT, jsonable, printable, show_json, show_table
from broker_actors.core.address import Address, check_id, check_type
from broker_actors.core.errors import PlatformError
from broker_actors.flow import Status, read_promise
from broker_actors.flow.durable.run import Run
from broker_actors.ports.listing import PAGE_MAX
from broker_actors.ports.store import Snapshot

app = typer.Typer(
    name="flows",
    no_args_is_help=True,
    help="Look at durable flows where they lie in the store; complete what they wait for; cancel them.",
)

app.command()(wait)

LISTED: Final = 100


@app.command("list")
def list_(
    actor_type: options.ActorType,
    *,
    status: Annotated[Status | None, typer.Option("--status", help="Those that are so.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = LISTED,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """List the flows of a type that were started, in an order that stays, and where each stands.

    ITEMS is of the parallel batch it works on, MOVED when its last step was committed.
    """

    async def collect() -> tuple[list[tuple[Address, Run]], int]:
        check_type(actor_type)
        async with running.connect(amqp, redis) as system:
            await layout_of(system.backend.store, actor_type)
            found = await _flows(system.backend, actor_type, status, limit)
            return found, system.backend.clock.now_ms()

    found, now_ms = running.run(collect(), as_json=as_json)
    if as_json:
        show_json({"flows": [document(address, run) for address, run in found]})
    elif found:
        show_table(COLUMNS, [row(address.id, run, now_ms) for address, run in found])
    else:
        ERR.print(printable(f"no flows of {actor_type}" + (f" are {status.value}" if status else "")))
    if not as_json and len(found) == limit:
        ERR.print(printable(f"the first {limit}; there may be more: --limit"))


@app.command()
def show(
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Show one flow: where it stands, what it waits for, the way it came, and what its nodes share."""

    async def find() -> tuple[Snapshot, Run, int]:
        address = Address(check_type(actor_type), check_id(actor_id))
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            snapshot = await backend.store.peek(address)
            run = run_of(snapshot)
            if snapshot is None or run is None:
                raise _no_flow(address)
            return snapshot, run, backend.clock.now_ms()

    snapshot, run, now_ms = running.run(find(), as_json=as_json)
    if as_json:
        show_json({**document(snapshot.address, run), "shared": shared_of(snapshot)})
        return
    for name, value in fields(snapshot.address, run, now_ms).items():
        OUT.print(f"{name:<12}{printable(value)}")
    if run.trail:
        OUT.print()
        show_table(TRAIL_COLUMNS, trail(run))
    OUT.print()
    OUT.print(printable(json.dumps(jsonable(shared_of(snapshot)), ensure_ascii=False, indent=2), keep="\n"))


@app.command()
def complete(
    promise: Annotated[
        str, typer.Argument(metavar="PROMISE", help="What it waits for, as `flows show` prints it.")
    ],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", help="JSON, or text if it is not.")] = "null",
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Complete what a flow waits for, so that it goes on. Prints nothing.

    Example: broker-actors flows complete 'Documents/d1#Review@5' publish
    """

    async def call() -> None:
        where = read_promise(promise)
        given = arguments.parse_value(value)
        async with running.connect(amqp, redis) as system:
            await system.ref(where.flow.type, where.flow.id).call("complete", where.here, given)

    running.run(call(), as_json=as_json)
    if as_json:
        show_json({"ok": True})


@app.command()
def cancel(
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    reason: Annotated[
        str, typer.Argument(metavar="[REASON]", help="Why; `flows show` says it.")
    ] = "cancelled",
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Stop what runs of a flow, and have what was completed compensated. Prints nothing."""

    async def call() -> None:
        check_type(actor_type)
        check_id(actor_id)
        async with running.connect(amqp, redis) as system:
            address = Address(actor_type, actor_id)
            if run_of(await system.backend.store.peek(address)) is None:
                # An actor that is no flow would be asked until the deadline.
                raise _no_flow(address)
            await system.ref(actor_type, actor_id).call("cancel", reason)

    running.run(call(), as_json=as_json)
    if as_json:
        show_json({"ok": True})


def _no_flow(address: Address) -> PlatformError:
    return PlatformError(f"no flow {address}: nobody has started it")


async def _flows(
    backend: Backend, actor_type: str, status: Status | None, limit: int
) -> list[tuple[Address, Run]]:
    found: list[tuple[Address, Run]] = []
    after = ""
    while len(found) < limit:
        page = await backend.store.actors(actor_type, after=after, limit=PAGE_MAX)
        for summary in page:
            run = run_of(await backend.store.peek(summary.address))
            if run is not None and status in {None, run.status}:
                found.append((summary.address, run))
                if len(found) == limit:
                    break
        if len(page) < PAGE_MAX:
            break
        after = page[-1].address.id
    return found
