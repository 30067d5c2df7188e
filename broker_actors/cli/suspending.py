"""The commands `actors suspend`, `actors resume` and `actors suspended`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from broker_actors.cli import options, running
from broker_actors.cli.actor_views import SUSPENDED_COLUMNS, suspended_row, suspension_document
from broker_actors.cli.declared import layout_of
from broker_actors.cli.output import ERR, OUT, printable, show_json, show_table
from broker_actors.core.address import Address, check_id, check_type
from broker_actors.core.errors import PlatformError
from broker_actors.core.parking import wake_of
from broker_actors.core.suspension import Suspension
from broker_actors.runtime.suspending import resume as resume_actor
from broker_actors.runtime.suspending import suspend as suspend_actor


def suspend(
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever looks at the actor.")
    ] = "suspended by an operator",
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Let an actor run nothing until it is resumed.

    Its asks fail at once (ActorSuspendedError), its tells wait. A turn that runs now is rolled back
    and runs again after that.

    Example: broker-actors actors suspend Order 4711 --reason "wrong price, being looked at"
    """

    async def act() -> Suspension:
        address = Address(check_type(actor_type), check_id(actor_id))
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            await layout_of(backend.store, actor_type)
            return await suspend_actor(backend.store, backend.clock, address, reason)

    suspension = running.run(act(), as_json=as_json)
    if as_json:
        show_json({"type": actor_type, "id": actor_id, "suspension": suspension_document(suspension)})
        return
    OUT.print(printable(f"{actor_type}/{actor_id} is suspended: {suspension.error}"))


def resume(
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Let a suspended actor run again: first what it has parked, in order, then what is new.

    Example: broker-actors actors resume Order 4711
    """

    async def act() -> Suspension:
        address = Address(check_type(actor_type), check_id(actor_id))
        async with running.connect(amqp, redis) as system:
            backend = system.backend
            ended = await resume_actor(backend.store, backend.clock, address)
            if ended is None:
                raise PlatformError(f"{address} is not suspended")
            # Some worker finds what is parked by itself, too, only later.
            with suppress(PlatformError):
                await system.dispatch.send(wake_of(address, backend.clock.now_ms()))
            return ended

    ended = running.run(act(), as_json=as_json)
    if as_json:
        show_json({"type": actor_type, "id": actor_id, "was": suspension_document(ended)})
        return
    OUT.print(printable(f"{actor_type}/{actor_id} runs again; it was suspended: {ended.error}"))


def suspended(
    actor_type: options.ActorType,
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """List the suspended actors of a type and why they are, the first suspended first; at most 1,000.

    Example: broker-actors actors suspended Order
    """

    async def collect() -> Sequence[tuple[Address, Suspension]]:
        async with running.connect(amqp, redis) as system:
            await layout_of(system.backend.store, actor_type)
            return await system.backend.store.suspended(actor_type)

    found = running.run(collect(), as_json=as_json)
    if as_json:
        shown = [{"id": one.id, **(suspension_document(why) or {})} for one, why in found]
        show_json({"suspended": shown})
    elif found:
        show_table(SUSPENDED_COLUMNS, [suspended_row(one, why) for one, why in found])
    else:
        ERR.print(printable(f"no actor of {actor_type} is suspended"))
