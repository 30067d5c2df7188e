"""The commands `ask` and `tell`: calls from a shell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from broker_actors.actor.handle import target_of
from broker_actors.actor.untyped import UntypedRef, UntypedRemote
from broker_actors.cli import arguments, options, running
from broker_actors.cli.output import OUT, jsonable, show_json
from broker_actors.core.address import check_id, check_type
from broker_actors.core.errors import Plain


def ask(  # noqa: PLR0913 - each parameter is an argument or option of the command
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    method: options.MethodName,
    args: options.Arguments = None,
    *,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long to wait for the answer.")
    ] = None,
    key: options.Key = None,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Call a method of an actor and print what it answers.

    Text is printed as it is, everything else as JSON. An error the actor answers with goes
    to stderr, and the exit code is 1; no answer is 2.

    Example: broker-actors ask Counter c1 increment 5
    """

    async def call() -> Plain:
        positional, named = _checked(actor_type, actor_id, args or ())
        async with running.connect(amqp, redis) as system:
            ref = system.ref(actor_type, actor_id).with_options(timeout=timeout, idempotency_key=key)
            return await ref.call(method, *positional, **named)

    result = running.run(call(), as_json=as_json)
    if as_json:
        show_json({"ok": True, "result": result})
    else:
        plain = jsonable(result)
        text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
        OUT.out(text, highlight=False)


def tell(  # noqa: PLR0913 - each parameter is an argument or option of the command
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    method: options.MethodName,
    args: options.Arguments = None,
    *,
    delay: Annotated[float, typer.Option(metavar="SECONDS", help="Have it arrive this much later.")] = 0.0,
    key: options.Key = None,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Send a method call to an actor one way; done once the broker holds it.

    Prints nothing. A call that fails, or is refused, ends in the dead letters of TYPE.

    Example: broker-actors tell Counter c1 increment 5 --delay 60
    """

    async def call() -> str:
        positional, named = _checked(actor_type, actor_id, args or ())
        async with running.connect(amqp, redis) as system:
            ref = system.ref(actor_type, actor_id).with_options(idempotency_key=key)
            return await _tell(ref, method, delay, positional, named)

    schedule_id = running.run(call(), as_json=as_json)
    if as_json:
        show_json({"ok": True, **({"id": schedule_id} if schedule_id else {})})


def stream(  # noqa: PLR0913 - each parameter is an argument or option of the command
    actor_type: options.ActorType,
    actor_id: options.ActorId,
    method: options.MethodName,
    args: options.Arguments = None,
    *,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long to wait for each value.")
    ] = None,
    key: options.Key = None,
    as_json: options.AsJson = False,
    amqp: options.Amqp = None,
    redis: options.Redis = None,
) -> None:
    """Call a generator method of an actor and print what it yields, a line each, as it comes.

    Stopping this (Ctrl-C) stops the generator, too. An error the actor answers with comes after
    the values before it, on stderr; the exit code is 1 then, and 2 when a value takes too long.

    Example: broker-actors stream Assistant a1 tokens "Hello"
    """

    async def call() -> None:
        positional, named = _checked(actor_type, actor_id, args or ())
        async with running.connect(amqp, redis) as system:
            ref = system.ref(actor_type, actor_id).with_options(timeout=timeout, idempotency_key=key)
            async for value in UntypedRemote(method, target_of(ref)).stream(*positional, **named):
                _show_value(value, as_json=as_json)

    running.run(call(), as_json=as_json)


def _show_value(value: Plain, *, as_json: bool) -> None:
    plain = jsonable(value)
    if as_json:
        OUT.out(json.dumps({"value": plain}, ensure_ascii=False), highlight=False)
    else:
        OUT.out(plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False), highlight=False)


def _checked(actor_type: str, actor_id: str, words: Sequence[str]) -> tuple[list[Plain], dict[str, Plain]]:
    """Return the arguments; refuse what cannot be before connecting, which may take its time."""
    check_type(actor_type)
    check_id(actor_id)
    return arguments.parse(words)


async def _tell(
    ref: UntypedRef, method: str, delay: float, args: Sequence[Plain], kwargs: dict[str, Plain]
) -> str:
    """Send it; return by which id it can be cancelled, empty if it cannot."""
    # Not `getattr(ref, method)`: the actor may well have a method called `address`.
    remote = UntypedRemote(method, target_of(ref))
    if delay:
        return (await remote.tell_after(delay, *args, **kwargs)).id
    await remote.tell(*args, **kwargs)
    return ""
