"""The commands of `dead`; those that only look are here."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from broker_actors.cli import letter_views, options, running
from broker_actors.cli.choosing import (
    Letters,
    LettersOfAny,
    chosen_letters,
)
from broker_actors.cli.dead_purge import purge
from broker_actors.cli.dead_redrive import redrive
from broker_actors.cli.letters import LETTERS_MAX, browse
from broker_actors.cli.output import ERR, OUT, printable, show_json, show_table
from broker_actors.cli.selecting import selects
from broker_actors.core.dead import DeadLetter
from broker_actors.core.errors import PlatformError
from broker_actors.core.letters import Selection, grouped

app = typer.Typer(
    name="dead",
    no_args_is_help=True,
    help="Look at messages that will not be tried again by themselves; send them again, or remove them.",
)

LISTED: Final = 100

app.command()(redrive)
app.command()(purge)


@app.command("list")
@selects
def list_(  # noqa: PLR0913 - each parameter is an argument or option of the command
    actor_type: LettersOfAny = None,
    *,
    by_error: Annotated[bool, typer.Option("--by-error", help="Show how many died of what.")] = False,
    chosen: Selection,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=LETTERS_MAX, help="Show, or group, at most so many, oldest first."),
    ] = None,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """List the dead letters of an actor type, or of all of them, each type's oldest first.

    They stay in their queue, in their order. For the moment in which they are read,
    another reader of the queue does not see them.
    """
    shown = limit or (LETTERS_MAX if by_error else LISTED)
    found, now_ms = running.run(chosen_letters(actor_type, amqp, redis, shown, chosen), as_json=as_json)
    if by_error:
        _show_groups(found, now_ms, as_json=as_json)
    else:
        _show_letters(found, now_ms, as_json=as_json)
    if not found:
        whose = f" of {actor_type}" if actor_type else ""
        ERR.print(f"no dead letters{whose}" + ("" if chosen.is_everything else " like that"))
    elif len(found) >= shown:
        ERR.print(f"the first {shown}; there may be more: --limit")


@app.command()
def show(
    actor_type: Letters,
    dead_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the letter, or how it begins.")],
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Show one dead letter: what was sent, why it is here, what every attempt failed with."""

    async def find() -> tuple[DeadLetter, int]:
        async with running.connect(amqp, redis) as system:
            found = await browse(
                system.backend.transport,
                actor_type,
                limit=1,
                matches=lambda letter: letter.id.startswith(dead_id),
            )
            if not found:
                raise _missing(actor_type, dead_id)
            return found[0], system.backend.clock.now_ms()

    letter, now_ms = running.run(find(), as_json=as_json)
    if as_json:
        show_json(letter_views.document(letter, now_ms))
        return
    for name, value in letter_views.fields(letter, now_ms).items():
        OUT.print(f"{name:<12}{printable(value)}")
    if letter.traceback:
        OUT.print()
        OUT.print(printable(letter.traceback.rstrip(), keep="\n"))


def _missing(actor_type: str, dead_id: str) -> PlatformError:
    return PlatformError(
        f"no dead letter {dead_id} of {actor_type}: `broker-actors dead list {actor_type}` lists them"
    )


def _show_letters(found: list[DeadLetter], now_ms: int, *, as_json: bool) -> None:
    if as_json:
        show_json([letter_views.document(letter, now_ms) for letter in found])
    elif found:
        show_table(letter_views.COLUMNS, [letter_views.row(letter, now_ms) for letter in found])


def _show_groups(found: list[DeadLetter], now_ms: int, *, as_json: bool) -> None:
    groups = grouped(found)
    if as_json:
        show_json([letter_views.group_document(group, now_ms) for group in groups])
    elif groups:
        show_table(letter_views.GROUP_COLUMNS, [letter_views.group_row(group, now_ms) for group in groups])
