"""Run one method on one instance: arguments in, encoded reply out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar, cast

from broker_actors.actor.arguments import Bound
from broker_actors.actor.method import AnyMethod
from broker_actors.actor.signature import Kind
from broker_actors.actor.spec import ActorSpec
from broker_actors.core import body
from broker_actors.core.codec import is_surely_encodable
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import (
    CallCancelledError,
    InvalidArgumentsError,
    SystemFaultError,
    UnknownMethodError,
)
from broker_actors.core.events import LeftBehind
from broker_actors.core.reply import UNREAD, Reply
from broker_actors.runtime.activation import Subject
from broker_actors.runtime.answers import result_of
from broker_actors.runtime.offloaded import Computation, compute, computed
from broker_actors.runtime.services import Services

T = TypeVar("T")


class CutOffError(SystemFaultError):
    """The caller's deadline came first; `core.supervision` knows it by its name."""


async def invoke(activation: Subject, envelope: Envelope, services: Services) -> Reply:
    """Return the encoded result of *envelope* on *activation*'s instance, or `UNREAD` if nobody will read it.

    Raises:
        UnknownMethodError: the actor has no such method.
        UndecodableError: the body is not a call.
        InvalidArgumentsError: the arguments do not fit.
        Exception: whatever the method raises.

    """
    method, arguments = prepared(activation.spec, envelope)
    kind = method.kind
    if kind is Kind.STREAM:
        text = (
            f"{activation.address.type}.{envelope.method} yields: stream it instead of asking or telling it"
        )
        raise InvalidArgumentsError("is_a_stream", text)
    if method.run_in == "process":
        return await _until_deadline(_in_process(activation, envelope, services), envelope, services)
    instance = activation.built
    if instance is None:
        instance = await _until_deadline(activation.instance(), envelope, services)
    if kind is Kind.ASYNC or method.run_in == "thread":
        result = await _until_deadline(
            _begun(method, instance, arguments, envelope, services), envelope, services
        )
    else:
        result = _called(method, instance, arguments, envelope, services)
    if not envelope.is_answered and is_surely_encodable(result):
        return UNREAD
    return result_of(result, f"{activation.address.type}.{envelope.method}", envelope.content_type)


def prepared(spec: ActorSpec, envelope: Envelope) -> tuple[AnyMethod, Bound]:
    """Return the method *envelope* calls, and its arguments; raises what `invoke` raises of them."""
    method = spec.methods.get(envelope.method)
    if method is None:
        raise UnknownMethodError(f"{spec.type} has no method {envelope.method!r}")
    return method, method.arguments.validate(*body.decode(envelope.body, envelope.content_type))


def _begun(
    method: AnyMethod, instance: object, arguments: Bound, envelope: Envelope, services: Services
) -> Awaitable[object]:
    """Return the running method, one that suspends or a thread runs."""
    args, kwargs = arguments
    if method.kind is Kind.ASYNC:
        return cast("Awaitable[object]", method.function(instance, *args, **kwargs))
    left_behind = partial(services.observer.observe, LeftBehind(envelope.address, envelope.method))
    return services.offload.threads.run(partial(_in_thread, method, instance, arguments), left_behind)


def _called(
    method: AnyMethod, instance: object, arguments: Bound, envelope: Envelope, services: Services
) -> object:
    """Return what the method returns, which holds up the loop until then."""
    args, kwargs = arguments
    started_seconds = services.clock.monotonic_seconds()
    try:
        return method.function(instance, *args, **kwargs)
    finally:
        services.slowness.took(envelope, services.clock.monotonic_seconds() - started_seconds)


def _in_thread(method: AnyMethod, instance: object, arguments: Bound) -> object:
    args, kwargs = arguments
    try:
        return method.function(instance, *args, **kwargs)
    except StopIteration as error:
        # No future can carry it: the turn would wait for ever.
        raise RuntimeError(f"{method.name} raised StopIteration") from error


async def _in_process(activation: Subject, envelope: Envelope, services: Services) -> Reply:
    cls = activation.spec.cls
    computation = Computation(
        *(cls.__module__, cls.__qualname__, envelope.method),
        *(activation.state, envelope.body, envelope.content_type),
    )
    return computed(await services.offload.processes.run(compute, computation))


async def _until_deadline(running: Awaitable[T], envelope: Envelope, services: Services) -> T:
    if not envelope.is_ask:
        return await running
    left_seconds = (envelope.deadline_ms - services.clock.now_ms()) / 1000
    deadline = asyncio.timeout(left_seconds if envelope.deadline_ms else None)
    try:
        async with deadline:
            with services.cancels.watching(envelope, deadline):
                return await running
    except TimeoutError:
        if not deadline.expired():
            raise
        if services.cancels.has(envelope):
            text = f"{envelope.address}.{envelope.method} was cancelled: its caller gave it up"
            raise CallCancelledError(text, recoverable=False) from None
        text = f"{envelope.address}.{envelope.method} was cancelled at its caller's deadline"
        raise CutOffError(text, recoverable=False) from None
