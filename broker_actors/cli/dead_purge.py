"""The command `dead purge`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from broker_actors.cli import options, running
from broker_actors.cli.choosing import (
    Everything,
    Ids,
    Letters,
    check_said,
    chosen_letters,
    tell_missing,
)
from broker_actors.cli.letters import LETTERS_MAX, lying
from broker_actors.cli.output import ERR, OUT, Code, show_json
from broker_actors.cli.selecting import selects
from broker_actors.core.errors import ConfigurationError, PlatformError
from broker_actors.core.letters import Selection


@selects
def purge(  # noqa: PLR0913 - each parameter is an argument or option of the command
    actor_type: Letters,
    ids: Ids = None,
    *,
    chosen: Selection,
    everything: Everything = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Remove dead letters for good.

    Asks first, on a terminal. Letters that arrive meanwhile stay.

    Example: broker-actors dead purge Order --reason rejected --older-than 7d
    """
    chosen = replace(chosen, ids=frozenset(ids or ()))
    check_said(chosen, everything=everything)
    if not yes and not sys.stdin.isatty():
        refusal = ConfigurationError("what is purged is gone: look at it with `dead list`, then add --yes")
        raise running.failed(refusal, as_json=as_json)
    found, _now_ms = running.run(
        chosen_letters(actor_type, amqp, redis, LETTERS_MAX, chosen), as_json=as_json
    )
    seen = frozenset(letter.id for letter in found)
    # Not inside of a loop: the connection would be lost while somebody thinks.
    question = f"Remove {len(seen)} dead letters of {actor_type} for good?"
    if seen and not yes and not _agreed(question):
        raise running.failed(PlatformError("nothing was removed"), as_json=as_json)
    removed = running.run(_remove(actor_type, amqp, redis, seen), as_json=as_json) if seen else 0
    missing = sorted(chosen.ids - seen)
    if as_json:
        show_json({"ok": not missing, "purged": removed, "missing": missing})
    else:
        OUT.print(f"{removed} purged")
        tell_missing(missing)
    if missing:
        raise typer.Exit(Code.PLATFORM)


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        # Ctrl-C, or the end of the input: no answer is no.
        ERR.print()
        return False


async def _remove(actor_type: str, amqp: str | None, redis: str | None, ids: frozenset[str]) -> int:
    """Remove the letters with these *ids*, all copies, and return how many letters that were."""
    removed: set[str] = set()
    async with (
        running.connect(amqp, redis) as system,
        lying(system.backend.transport, actor_type) as letters,
    ):
        async for letter, delivery in letters:
            if letter.id in ids:
                delivery.ack()
                removed.add(letter.id)
    return len(removed)
