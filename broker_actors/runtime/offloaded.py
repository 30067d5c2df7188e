"""What runs in the other process: one method of one actor, from bytes to bytes.

Nothing is pickled but the bytes and texts of `Computation`: the arguments, the state and
the answer are encoded as they are between services. Invariant: whatever the method raises
comes back as data, so that no exception class has to exist on the other side.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from operator import attrgetter

from broker_actors.actor import frozen
from broker_actors.actor.spec import ActorSpec, spec_of
from broker_actors.core import body, reply
from broker_actors.core.errors import ConfigurationError, ErrorRecord, UnknownMethodError
from broker_actors.core.reply import Reply
from broker_actors.runtime.answers import OffloadedError, failure_of, result_of


@dataclass(frozen=True, slots=True)
class Computation:
    """One call that another process can make.

    Attributes:
        module: where the actor's class is.
        name: its qualified name there.
        method: which method.
        state: the last committed state; None if the actor never had one.
        body: the arguments, encoded.
        content_type: how.

    """

    module: str
    name: str
    method: str
    state: bytes | None
    body: bytes
    content_type: str


def check_importable(cls: type[object]) -> None:
    """Refuse a class that another process could not import.

    Raises:
        ConfigurationError: it is not at the top of a module, or another class is there by its name.

    """
    try:
        found: object = attrgetter(cls.__qualname__)(sys.modules[cls.__module__])
    except (AttributeError, KeyError):
        found = None
    if found is not cls:
        text = (
            f"{cls.__name__} has a method with run_in='process', and another process cannot import "
            f"{cls.__qualname__} from {cls.__module__}: define it at the top of a module"
        )
        raise ConfigurationError(text)


def compute(computation: Computation) -> Reply:
    """Make the call and return the answer, be it an error."""
    try:
        return _computed(computation)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
        return reply.of_error(failure_of(error))


def computed(answer: Reply) -> Reply:
    """Return *answer* if it is a result.

    Raises:
        OffloadedError: it is an error.

    """
    found = reply.read(answer)
    if isinstance(found, ErrorRecord):
        raise OffloadedError(found)
    return answer


def _computed(computation: Computation) -> Reply:
    spec = spec_of(attrgetter(computation.name)(importlib.import_module(computation.module)))
    method = spec.methods.get(computation.method)
    if method is None:
        raise UnknownMethodError(f"{spec.type} has no method {computation.method!r}")
    args, kwargs = method.arguments.validate(*body.decode(computation.body, computation.content_type))
    instance = spec.cls()
    spec.state.load(instance, computation.state)
    before = _dumped(spec, instance)
    frozen.freeze(instance, spec.frozen)
    result = method.function(instance, *args, **kwargs)
    if _dumped(spec, instance) != before:
        raise frozen.changed_in_place(spec.type)
    return result_of(result, f"{spec.type}.{computation.method}", computation.content_type)


def _dumped(spec: ActorSpec, instance: object) -> bytes:
    return spec.state.dump(instance) if spec.durable else b""
