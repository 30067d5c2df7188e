"""The commands `dead list` and `dead show`: dead letters, read where they lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from broker_actors.cli import options, running
from broker_actors.cli.letters import LETTERS_MAX, Matches, attempts_of, browse
from broker_actors.cli.output import ERR, OUT, jsonable, printable, show_json, show_table
from broker_actors.core import body, dead, history
from broker_actors.core.address import check_type
from broker_actors.core.dead import DeadLetter
from broker_actors.core.errors import PayloadTooLargeError, PlatformError, UndecodableError

app = typer.Typer(
    name="dead", no_args_is_help=True, help="Look at messages that will not be tried again by themselves."
)

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60))


@app.command("list")
def list_(
    actor_type: options.ActorType,
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=LETTERS_MAX, help="Show at most so many, oldest first.")
    ] = 100,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """List the dead letters of an actor type, oldest first.

    They stay in their queue, in their order. For the moment in which they are read,
    another reader of the queue does not see them.
    """
    letters, now_ms = running.run(_browse(actor_type, amqp, redis, limit), as_json=as_json)
    if as_json:
        show_json([_document(letter, now_ms) for letter in letters])
        return
    if not letters:
        ERR.print(f"no dead letters of {actor_type}")
        return
    rows = [_row(letter, now_ms) for letter in letters]
    show_table(("id", "age", "reason", "actor", "method", "error"), rows)
    if len(letters) >= limit:
        ERR.print(f"the first {limit}; there may be more: --limit")


@app.command()
def show(
    actor_type: options.ActorType,
    dead_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the letter, or how it begins.")],
    *,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Show one dead letter: what was sent, why it is here, what every attempt failed with."""

    def wanted(letter: DeadLetter) -> bool:
        return letter.id.startswith(dead_id)

    async def find() -> tuple[DeadLetter, int]:
        letters, now_ms = await _browse(actor_type, amqp, redis, LETTERS_MAX, wanted)
        if not letters or not wanted(letters[-1]):
            text = (
                f"no dead letter {dead_id} of {actor_type}: `broker-actors dead list {actor_type}` lists them"
            )
            raise PlatformError(text)
        return letters[-1], now_ms

    letter, now_ms = running.run(find(), as_json=as_json)
    if as_json:
        show_json(_document(letter, now_ms))
        return
    for name, value in _fields(letter, now_ms).items():
        OUT.print(f"{name:<12}{printable(value)}")
    if letter.traceback:
        OUT.print()
        OUT.print(printable(letter.traceback.rstrip(), keep="\n"))


async def _browse(
    actor_type: str, amqp: str | None, redis: str | None, limit: int, until: Matches = lambda _letter: False
) -> tuple[list[DeadLetter], int]:
    check_type(actor_type)
    async with running.connect(amqp, redis) as system:
        letters = await browse(system.backend.transport, actor_type, limit=limit, until=until)
        return letters, system.backend.clock.now_ms()


def _row(letter: DeadLetter, now_ms: int) -> tuple[str, ...]:
    return letter.id, _age(letter, now_ms), letter.reason, _actor(letter), letter.message.type, letter.error


def _fields(letter: DeadLetter, now_ms: int) -> Mapping[str, str]:
    fields = {
        "id": letter.id,
        "reason": letter.reason,
        "error": letter.error,
        "actor": _actor(letter),
        "method": letter.message.type,
        "call": json.dumps(jsonable(_call(letter)), ensure_ascii=False),
        "died": _died(letter, now_ms),
        "origin": letter.origin,
    }
    for one in attempts_of(letter):
        fields[f"attempt {one.number}"] = f"{one.error} (after {one.after_seconds:.2f} s)"
    return fields


def _document(letter: DeadLetter, now_ms: int) -> dict[str, object]:
    return {
        "id": letter.id,
        "age_seconds": max(0, now_ms - letter.died_ms) / 1000 if letter.died_ms else None,
        "died_ms": letter.died_ms,
        "reason": letter.reason,
        "error": letter.error,
        "actor": _actor(letter),
        "method": letter.message.type,
        "call": _call(letter),
        "history": history.read(letter.history),
        "origin": letter.origin,
        "traceback": letter.traceback,
    }


def _call(letter: DeadLetter) -> object:
    """Return the arguments, or the bytes that are none."""
    try:
        args, kwargs = body.decode(letter.message.body, letter.message.content_type)
    except (UndecodableError, PayloadTooLargeError):
        return letter.message.body
    return {"args": args, "kwargs": kwargs}


def _actor(letter: DeadLetter) -> str:
    address = dead.address_of(letter)
    return str(address) if address is not None else ""


def _died(letter: DeadLetter, now_ms: int) -> str:
    try:
        died = datetime.fromtimestamp(letter.died_ms / 1000, UTC)
    except (OSError, OverflowError, ValueError):
        # A whole number, and no date: anybody can publish into a queue.
        return str(letter.died_ms)
    return (
        f"{died.isoformat(timespec='seconds')} ({_age(letter, now_ms)} ago)" if letter.died_ms else "unknown"
    )


def _age(letter: DeadLetter, now_ms: int) -> str:
    if not letter.died_ms:
        return "unknown"
    seconds = max(0, now_ms - letter.died_ms) // 1000
    return next((f"{seconds // size}{unit}" for unit, size in _UNITS if seconds >= size), f"{seconds}s")
