"""`flows wait`: for scripts, which have nothing to do until a flow has come to rest."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from broker_actors.bootstrap.backend import Backend
from broker_actors.cli import options, running
from broker_actors.cli.flow_views import document, promises_of, run_of
from broker_actors.cli.output import OUT, printable, show_json
from broker_actors.core.address import Address, check_id, check_type
from broker_actors.core.errors import AskTimeoutError
from broker_actors.flow.durable.run import Run

#: Between two looks at the store.
LOOK_SECONDS: Final = 0.2
TIMEOUT_SECONDS: Final = 60.0


def wait(
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    *,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Give up after so long.")
    ] = TIMEOUT_SECONDS,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Wait until a flow has ended, or waits for somebody itself; print how it is, and what it waits for."""
    address = Address(actor_type, actor_id)

    async def rest() -> Run:
        check_type(actor_type)
        check_id(actor_id)
        async with running.connect(amqp, redis) as system:
            return await _rested(system.backend, address, timeout)

    run = running.run(rest(), as_json=as_json)
    if as_json:
        show_json(document(address, run))
    else:
        waits_for = " ".join(promises_of(address, run))
        more = waits_for or run.error or ("" if run.action is None else str(run.action))
        OUT.print(printable(f"{run.status.value} {more}".rstrip()))


async def _rested(backend: Backend, address: Address, timeout_seconds: float) -> Run:
    clock = backend.clock
    deadline_seconds = clock.monotonic_seconds() + timeout_seconds
    while True:
        run = run_of(await backend.store.peek(address))
        if run is not None and run.rests:
            return run
        if clock.monotonic_seconds() >= deadline_seconds:
            where = "was not started" if run is None else f"is {run.status.value} at {run.at or 'its end'}"
            problem = "" if run is None else "".join(f"; {one}" for one in run.problems)
            raise AskTimeoutError(f"{address} {where}, after {timeout_seconds} seconds{problem}")
        await clock.sleep(LOOK_SECONDS)
