"""Run one method on one instance: arguments in, encoded reply out."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable
from types import TracebackType
from typing import Final, cast

from broker_actors.actor.arguments import Bound
from broker_actors.actor.method import AnyMethod
from broker_actors.actor.plain import simplify
from broker_actors.actor.signature import Kind
from broker_actors.actor.spec import ActorSpec
from broker_actors.core import body, reply
from broker_actors.core.dead import TRACEBACK_CHARACTERS_MAX
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import (
    ErrorRecord,
    InvalidArgumentsError,
    SystemFaultError,
    UnknownMethodError,
    describe,
)
from broker_actors.core.events import SlowTurn
from broker_actors.core.reply import Reply
from broker_actors.runtime.activation import Subject
from broker_actors.runtime.services import Services

#: A synchronous method that holds the loop longer than this is reported.
SLOW_SECONDS: Final = 0.010


async def invoke(activation: Subject, envelope: Envelope, services: Services) -> Reply:
    """Return the encoded result of *envelope* on *activation*'s instance.

    Raises:
        UnknownMethodError: the actor has no such method.
        UndecodableError: the body is not a call.
        InvalidArgumentsError: the arguments do not fit.
        Exception: whatever the method raises.

    """
    method, arguments = prepared(activation.spec, envelope)
    if method.kind is Kind.STREAM:
        text = (
            f"{activation.address.type}.{envelope.method} yields: stream it instead of asking or telling it"
        )
        raise InvalidArgumentsError("is_a_stream", text)
    instance = await _until_deadline(activation.instance(), envelope, services)
    result = await _call(method, instance, arguments, envelope, services)
    try:
        return reply.of_result(result, envelope.content_type, simplify=simplify)
    except TypeError as error:
        text = f"{activation.address.type}.{envelope.method} returned what cannot be sent: {error}"
        raise SystemFaultError(text, recoverable=False) from error


def prepared(spec: ActorSpec, envelope: Envelope) -> tuple[AnyMethod, Bound]:
    """Return the method *envelope* calls, and its arguments; raises what `invoke` raises of them."""
    method = spec.methods.get(envelope.method)
    if method is None:
        raise UnknownMethodError(f"{spec.type} has no method {envelope.method!r}")
    return method, method.arguments.validate(*body.decode(envelope.body, envelope.content_type))


async def _call(
    method: AnyMethod, instance: object, arguments: Bound, envelope: Envelope, services: Services
) -> object:
    args, kwargs = arguments
    if method.kind is Kind.ASYNC:
        running = cast("Awaitable[object]", method.function(instance, *args, **kwargs))
        return await _until_deadline(running, envelope, services)
    if method.run_in == "thread":
        # The thread cannot be stopped, so the deadline ends the wait only once it is done.
        return await asyncio.to_thread(_in_thread, method, instance, arguments)
    started_seconds = services.clock.monotonic_seconds()
    try:
        return method.function(instance, *args, **kwargs)
    finally:
        seconds = services.clock.monotonic_seconds() - started_seconds
        if seconds > SLOW_SECONDS:
            services.observer.observe(SlowTurn(envelope.address, envelope.method, seconds))


def _in_thread(method: AnyMethod, instance: object, arguments: Bound) -> object:
    args, kwargs = arguments
    try:
        return method.function(instance, *args, **kwargs)
    except StopIteration as error:
        # No future can carry it: the turn would wait for ever.
        raise RuntimeError(f"{method.name} raised StopIteration") from error


async def _until_deadline(running: Awaitable[object], envelope: Envelope, services: Services) -> object:
    if not (envelope.is_ask and envelope.deadline_ms):
        return await running
    left_seconds = (envelope.deadline_ms - services.clock.now_ms()) / 1000
    deadline = asyncio.timeout(left_seconds)
    try:
        async with deadline:
            return await running
    except TimeoutError:
        if not deadline.expired():
            raise
        text = f"{envelope.address}.{envelope.method} was cancelled at its caller's deadline"
        raise SystemFaultError(text, recoverable=False) from None


def failure_of(error: BaseException) -> ErrorRecord:
    """Return *error* as data, with as much of its traceback as a header holds."""
    try:
        text = "".join(traceback.format_exception(type(error), error, _from_user_code(error)))
    except BaseException:  # noqa: BLE001 - an exception may carry attributes that cannot be formatted
        text = "the traceback cannot be formatted"
    return describe(error, text[-TRACEBACK_CHARACTERS_MAX:])


def _from_user_code(error: BaseException) -> TracebackType | None:
    """Return the traceback of *error* without our own frames at its beginning: they are always the same."""
    whole = frames = error.__traceback__
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    return frames or whole


def _is_ours(frames: TracebackType) -> bool:
    return str(frames.tb_frame.f_globals.get("__package__")) == __package__
