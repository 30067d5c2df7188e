"""The commands of `schedules`: what waits for its time, and how to stop it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from broker_actors.bootstrap.backend import Backend
from broker_actors.cli import options, running, schedule_views
from broker_actors.cli.declared import layout_of
from broker_actors.cli.output import ERR, OUT, printable, show_json, show_table
from broker_actors.core.errors import PlatformError
from broker_actors.core.scheduled import Scheduled
from broker_actors.ports.schedules import SCHEDULED_LISTED_MAX

LISTED: Final = 100

app = typer.Typer(
    name="schedules",
    no_args_is_help=True,
    help="Look at what waits for its time, and stop it.",
)

ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="The id, as `schedules list` shows it.")]


@app.command("list")
def list_(
    actor_type: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="Of this actor type; of all without it.")
    ] = None,
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=SCHEDULED_LISTED_MAX, help="Show at most so many, due first first.")
    ] = LISTED,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """List delayed tells that wait for their time, those due first first.

    Not listed: the next attempts of what failed (see `actors show` and the queues of the delay levels).

    Example: broker-actors schedules list Order
    """

    async def collect() -> tuple[Sequence[Scheduled], int]:
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            if actor_type is not None:
                await layout_of(backend.store, actor_type)
            types = await backend.store.types() if actor_type is None else [actor_type]
            return await _of_types(backend, types, limit), backend.clock.now_ms()

    found, now_ms = running.run(collect(), as_json=as_json)
    if as_json:
        show_json([schedule_views.document(entry, now_ms) for entry in found])
    elif found:
        show_table(schedule_views.COLUMNS, [schedule_views.row(entry, now_ms) for entry in found])
    else:
        ERR.print("nothing waits for its time")
    if len(found) >= limit:
        ERR.print(f"the first {limit}; there may be more: --limit")


@app.command()
def show(
    schedule_id: ScheduleId,
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Show one of them.

    Example: broker-actors schedules show Order/4711/d%3A5f0c
    """

    async def find() -> tuple[Scheduled, int]:
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            return await _find(backend, schedule_id), backend.clock.now_ms()

    entry, now_ms = running.run(find(), as_json=as_json)
    if as_json:
        show_json(schedule_views.document(entry, now_ms))
        return
    for name, value in schedule_views.fields(entry, now_ms).items():
        OUT.print(f"{name:<8}{printable(value)}")


@app.command()
def cancel(
    schedule_id: ScheduleId,
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Cancel a delayed tell: it will never run. Fails if it has run already.

    Example: broker-actors schedules cancel Order/4711/d%3A5f0c
    """

    async def act() -> None:
        async with running.connect(amqp, redis) as system:
            if not await system.scheduled(schedule_id).cancel():
                raise PlatformError(f"{schedule_id} has run, or failed, already: it is too late to cancel it")

    running.run(act(), as_json=as_json)
    if as_json:
        show_json({"id": schedule_id, "cancelled": True})
        return
    OUT.print(printable(f"{schedule_id} is cancelled"))


async def _of_types(backend: Backend, types: Sequence[str], limit: int) -> Sequence[Scheduled]:
    found = [entry for name in types for entry in await backend.store.schedules(name, limit=limit)]
    found.sort(key=lambda entry: entry.due_ms)
    return found[:limit]


async def _find(backend: Backend, schedule_id: str) -> Scheduled:
    wanted = Scheduled.parse(schedule_id)
    for entry in await backend.store.schedules(wanted.address.type, limit=SCHEDULED_LISTED_MAX):
        if (entry.address, entry.key) == (wanted.address, wanted.key):
            return entry
    raise PlatformError(
        f"nothing waits by the id {schedule_id}: `broker-actors schedules list` shows what does"
    )
