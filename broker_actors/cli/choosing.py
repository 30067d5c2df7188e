"""Which letters a command of `dead` means: its arguments and options, and finding those letters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Annotated, TypeAlias

import typer

from broker_actors.cli import ages, running
from broker_actors.cli.letters import browse, queue_of
from broker_actors.cli.output import ERR, printable
from broker_actors.core.dead import DeadLetter, Reason
from broker_actors.core.errors import UnknownActorTypeError
from broker_actors.core.letters import Selection
from broker_actors.core.topology import BROKER_KEY

Letters: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="TYPE", help="The actor type; or by-broker, for what the broker itself gave up (actors.dead)."
    ),
]
LettersOfAny: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="TYPE",
        help="The actor type, or by-broker; by default all types, and what the broker itself gave up.",
    ),
]
Ids: TypeAlias = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Ids of letters, as `dead list` shows them.")
]
ByReason: TypeAlias = Annotated[Reason | None, typer.Option("--reason", help="Those that died for it.")]
ByError: TypeAlias = Annotated[
    str, typer.Option("--error", metavar="TEXT", help="Those with it in their error, in whatever case.")
]
ByActor: TypeAlias = Annotated[str, typer.Option("--actor", metavar="ID", help="Those for this actor.")]
ByMethod: TypeAlias = Annotated[str, typer.Option("--method", metavar="NAME", help="Those that call it.")]
OlderThan: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--older-than",
        metavar="AGE",
        parser=ages.read,
        help="Those that died so long ago: 90s, 15m, 12h, 7d.",
    ),
]
Everything: TypeAlias = Annotated[bool, typer.Option("--all", help="Every letter there is.")]


def check_said(chosen: Selection, *, everything: bool) -> None:
    """Refuse to do something to letters that nobody has named.

    Raises:
        BadParameter: neither letters, nor conditions, nor all of them; or both.

    """
    if chosen.is_everything and not everything:
        raise typer.BadParameter("which letters? Give ids, or conditions such as --error TEXT, or --all")
    if everything and not chosen.is_everything:
        raise typer.BadParameter("--all means every letter: leave it out, or the ids and conditions")


async def chosen_letters(
    actor_type: str | None, amqp: str | None, redis: str | None, limit: int, chosen: Selection
) -> tuple[list[DeadLetter], int]:
    """Return the letters that are meant, at most *limit*, and the time they were looked at.

    Without a type: those of every type, and what the broker itself gave up.
    """
    if actor_type is not None:
        queue_of(actor_type)
    async with running.connect(amqp, redis) as system:
        backend = system.backend
        now_ms = backend.clock.now_ms()

        def matches(letter: DeadLetter) -> bool:
            return chosen.matches(letter, now_ms)

        if actor_type is not None:
            found = await browse(backend.transport, actor_type, limit=limit, matches=matches, tell=ERR.print)
            return found, now_ms
        every: list[DeadLetter] = []
        for name in (*await backend.store.types(), BROKER_KEY):
            # One after the other: letters somebody looks at are out of sight for everybody else.
            with contextlib.suppress(UnknownActorTypeError):
                every += await browse(
                    backend.transport, name, limit=limit - len(every), matches=matches, tell=ERR.print
                )
            if len(every) >= limit:
                break
        return every, now_ms


def tell_missing(missing: Iterable[str]) -> None:
    """Say which ids no letter has."""
    for dead_id in missing:
        ERR.print(f"there is no dead letter {printable(dead_id)}", style="red")
