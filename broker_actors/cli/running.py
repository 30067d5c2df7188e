"""From a command's coroutine to an exit code."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer
from pydantic import ValidationError

from broker_actors.bootstrap.system import ActorSystem
from broker_actors.cli.output import Code, show_json, stop
from broker_actors.core.errors import (
    ActorError,
    BrokerActorsError,
    BusinessError,
    ConfigurationError,
    InvalidArgumentsError,
    Plain,
)

T = TypeVar("T")


def run(command: Coroutine[Any, Any, T], *, as_json: bool = False) -> T:
    """Return what *command* returns; an error of this package becomes one line and an exit code.

    Args:
        command: what to run on a loop of its own.
        as_json: whether stdout is for machines, which then read the error there too.

    Raises:
        Exit: the command failed; what is wrong has been printed.

    """
    try:
        return asyncio.run(command)
    except BrokerActorsError as error:
        raise failed(error, as_json=as_json) from None
    except KeyboardInterrupt:
        # As a shell reports a program that was interrupted.
        raise typer.Exit(128 + signal.SIGINT) from None


def failed(error: BrokerActorsError, *, as_json: bool) -> typer.Exit:
    """Print *error*, for a machine on stdout too; return the exception that ends the command."""
    if as_json:
        show_json({"ok": False, "error": as_plain(error)})
    return stop(in_one_line(error), code_of(error))


def connect(amqp: str | None, redis: str | None) -> ActorSystem:
    """Return a system on real servers, to enter with `async with`.

    Raises:
        ConfigurationError: no broker is named, or a setting in the environment cannot be.

    """
    system = prepare(amqp, redis)
    if is_embedded(system):
        text = "no broker: set BROKER_ACTORS_URL and BROKER_ACTORS_REDIS_URL, or give --amqp and --redis"
        raise ConfigurationError(text)
    return system


def prepare(amqp: str | None, redis: str | None) -> ActorSystem:
    """Return a system, embedded if no broker is named, to enter with `async with`.

    Raises:
        ConfigurationError: a setting in the environment cannot be.

    """
    try:
        return ActorSystem.connect(amqp, redis)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(f"setting BROKER_ACTORS_{name}: {first['msg']}") from error


def is_embedded(system: ActorSystem) -> bool:
    """Return whether *system* runs on a broker inside this process."""
    return system.settings.scheme == "memory"


def code_of(error: BrokerActorsError) -> Code:
    """Return the exit code for *error*: whether an actor has answered is what scripts ask."""
    # Arguments that cannot be sent are refused on this side, and no actor was asked.
    unsent = isinstance(error, InvalidArgumentsError) and not error.remote_type
    return Code.REFUSED if isinstance(error, ActorError) and not unsent else Code.PLATFORM


def in_one_line(error: BrokerActorsError) -> str:
    """Return *error* for a person."""
    text = " ".join(str(error).split())
    match error:
        case InvalidArgumentsError(code=code):
            # Its details say the same again, for machines.
            return f"{code}: {text}"
        case BusinessError(code=code, message=message, details=details):
            shown = code if message == code else f"{code}: {text}"
            return f"{shown} {details}" if details else shown
        case ActorError():
            return text
        case _:
            return text or type(error).__name__


def as_plain(error: BrokerActorsError) -> dict[str, Plain]:
    """Return *error* for a machine."""
    plain: dict[str, Plain] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, BusinessError):
        plain |= {"code": error.code, "details": error.details}
    if isinstance(error, ActorError):
        plain |= {"type": error.remote_type, "traceback": error.remote_traceback}
    return plain
