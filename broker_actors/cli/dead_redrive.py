"""The command `dead redrive`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, Final

import typer

from broker_actors.cli import options, running
from broker_actors.cli.choosing import (
    Everything,
    Ids,
    Letters,
    check_said,
    tell_missing,
)
from broker_actors.cli.letters import lying, queue_of
from broker_actors.cli.output import ERR, OUT, Code, printable, show_json
from broker_actors.cli.redriving import Orders, Outcome, send_again
from broker_actors.cli.selecting import selects
from broker_actors.core.letters import Selection

#: Of letters that could not be sent again, for a person; a machine gets them all.
_REFUSED_SHOWN: Final = 20


@selects
def redrive(  # noqa: PLR0913 - each parameter is an argument or option of the command
    actor_type: Letters,
    ids: Ids = None,
    *,
    chosen: Selection,
    everything: Everything = False,
    rate: Annotated[float, typer.Option(min=0.001, metavar="PER_SECOND", help="At most so many.")] = 100.0,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, oldest first.")] = sys.maxsize,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Send dead letters again, to the actors they were for, in their order.

    Each takes effect once, however often this is interrupted and run again. What dies
    again is a new letter. What is not meant, or cannot be sent, stays where it is; when
    something could not be sent, the exit code is 2.

    Example: broker-actors dead redrive Order --error ConnectionError --rate 20
    """
    chosen = replace(chosen, ids=frozenset(ids or ()))
    check_said(chosen, everything=everything)

    async def send() -> Outcome:
        queue_of(actor_type)
        async with running.connect(amqp, redis) as system:
            clock = system.backend.clock
            async with lying(system.backend.transport, actor_type, ERR.print) as letters:
                orders = Orders(
                    lambda letter: chosen.matches(letter, clock.now_ms()),
                    None if dry_run else system.dispatch.send,
                    limit,
                    rate,
                    ERR.print,
                )
                return await send_again(letters, orders, clock)

    outcome = running.run(send(), as_json=as_json)
    met = {*outcome.redriven, *outcome.refused}
    # One that was not looked at may well be there.
    missing = [] if outcome.unseen else sorted(chosen.ids - met)
    _show_outcome(outcome, missing, dry_run=dry_run, as_json=as_json)
    if outcome.refused or missing:
        raise typer.Exit(Code.PLATFORM)


def _show_outcome(outcome: Outcome, missing: list[str], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "ok": not outcome.refused and not missing,
                "dry_run": dry_run,
                "redriven": outcome.redriven,
                "refused": [{"id": dead_id, "error": why} for dead_id, why in outcome.refused.items()],
                "missing": missing,
                "others": outcome.others,
                "unseen": outcome.unseen,
            }
        )
        return
    stay = outcome.others + outcome.unseen + len(outcome.refused)
    OUT.print(f"{len(outcome.redriven)} {'would be ' if dry_run else ''}redriven, {stay} stay")
    for dead_id, why in list(outcome.refused.items())[:_REFUSED_SHOWN]:
        ERR.print(f"{dead_id} cannot be sent: {printable(why)}", style="red")
    if len(outcome.refused) > _REFUSED_SHOWN:
        ERR.print(f"and {len(outcome.refused) - _REFUSED_SHOWN} more cannot be sent: --json names them")
    tell_missing(missing)
