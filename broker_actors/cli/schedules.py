"""The commands of `schedules`: what waits for its time, and how to stop it."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from broker_actors.cli import options, running, schedule_views
from broker_actors.cli.declared import layout_of
from broker_actors.cli.output import ERR, OUT, printable, show_json, show_table
from broker_actors.cli.planned import Planned, find, planned
from broker_actors.core.errors import PlatformError
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
    """List delayed tells and reminders, those due first first.

    Not listed: the next attempts of what failed (see `actors show` and the queues of the delay levels).

    Example: broker-actors schedules list Order
    """

    async def collect() -> tuple[list[Planned], int]:
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            if actor_type is not None:
                await layout_of(backend.store, actor_type)
            types = await backend.store.types() if actor_type is None else [actor_type]
            return await planned(backend.store, types, limit), backend.clock.now_ms()

    found, now_ms = running.run(collect(), as_json=as_json)
    if as_json:
        show_json([schedule_views.document(one, now_ms) for one in found])
    elif found:
        show_table(schedule_views.COLUMNS, [schedule_views.row(one, now_ms) for one in found])
    else:
        ERR.print("nothing is planned")
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

    async def look() -> tuple[Planned, int]:
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            return await find(backend.store, schedule_id), backend.clock.now_ms()

    one, now_ms = running.run(look(), as_json=as_json)
    if as_json:
        show_json(schedule_views.document(one, now_ms))
        return
    for name, value in schedule_views.fields(one, now_ms).items():
        OUT.print(f"{name:<9}{printable(value)}")


@app.command()
def cancel(
    schedule_id: ScheduleId,
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Cancel a delayed tell, or a reminder: it will never run again. Fails if there is nothing to cancel.

    Example: broker-actors schedules cancel Order/4711/d%3A5f0c
    """

    async def act() -> None:
        async with running.connect(amqp, redis) as system:
            if not await system.scheduled(schedule_id).cancel():
                raise PlatformError(f"{schedule_id} has run, or is gone, already: there is nothing to cancel")

    running.run(act(), as_json=as_json)
    if as_json:
        show_json({"id": schedule_id, "cancelled": True})
        return
    OUT.print(printable(f"{schedule_id} is cancelled"))
