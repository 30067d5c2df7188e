"""`@actor`: reads a class once and keeps what it found on the class.

There is no registry: a worker runs the classes it is given. Invariant: a class whose
decoration passed can be constructed, loaded, dumped and called without another look at
its annotations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar, Unpack, cast, overload

from broker_actors.actor.frozen import frozen_class
from broker_actors.actor.handle import Handle
from broker_actors.actor.hints import Locals, locals_of_caller
from broker_actors.actor.messages import HOOKS, methods_of
from broker_actors.actor.method import AnyMethod
from broker_actors.actor.options import Options, OptionsGiven, options_of
from broker_actors.actor.signature import Kind
from broker_actors.actor.state import StateSchema
from broker_actors.core.address import check_type
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.topology import Layout

T = TypeVar("T")
AnyClass: TypeAlias = type[object]

_ATTRIBUTE: Final = "__actor__"


@dataclass(frozen=True, slots=True, eq=False)
class ActorSpec:
    """Everything the platform knows about one actor class.

    Attributes:
        type: the actor type.
        cls: the class.
        options: how its actors live.
        methods: its messages by name.
        state: its durable attributes.
        layout: how it is spread over mailboxes, as declared.
        frozen: the class of instances that cannot be written; the class itself if no method needs that.
        interleaved: the methods that overlap their actors' other turns: what says so, and every generator.
        offloaded: the methods that run off the loop.
        durable: whether its turns commit to the store.

    """

    type: str
    cls: AnyClass
    options: Options
    methods: Mapping[str, AnyMethod]
    state: StateSchema
    layout: Layout
    frozen: AnyClass
    interleaved: frozenset[str]
    offloaded: frozenset[str]
    durable: bool


@overload
def actor(cls: type[T], /) -> type[T]: ...
@overload
def actor(**options: Unpack[OptionsGiven]) -> Callable[[type[T]], type[T]]: ...
def actor(
    cls: type[T] | None = None, /, **options: Unpack[OptionsGiven]
) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class an actor: `@actor`, or `@actor(partitions=16, idle_timeout=60)`.

    Args:
        cls: the class.
        options: see `options.Options`; durations are seconds or a timedelta.

    Raises:
        ConfigurationError: the class or an option cannot work; the text says what to change.

    """

    def decorate(cls: type[T]) -> type[T]:
        return _declared(cls, options, locals_of_caller())

    return decorate if cls is None else _declared(cls, options, locals_of_caller())


def spec_of(cls: type) -> ActorSpec:
    """Return what `@actor` found on *cls*.

    Raises:
        ConfigurationError: *cls* itself is not decorated.

    """
    spec = vars(cls).get(_ATTRIBUTE)
    if not isinstance(spec, ActorSpec):
        text = f"{cls.__name__} is no actor class: decorate it with @actor"
        raise ConfigurationError(text)
    if spec.cls is not cls:
        # A decorator such as `dataclass(slots=True)` made a new class out of the one that was read.
        text = f"{cls.__name__}: @actor goes above the decorators that replace the class"
        raise ConfigurationError(text)
    return spec


def is_actor(cls: type) -> bool:
    """Return whether *cls* itself is decorated with `@actor`."""
    return _ATTRIBUTE in vars(cls)


def _declared(cls: type[T], given: OptionsGiven, scope: Locals) -> type[T]:
    options = options_of(cls.__name__, given)
    actor_type = check_type(options.name or cls.__name__)
    _check_construction(cls)
    methods = methods_of(cls, scope)
    _check_hooks(cls)
    state = StateSchema(cls, scope, options.state_version)
    if options.delivery == "at_least_once" and state.names:
        first = state.names[0]
        text = (
            f"{cls.__name__}: delivery='at_least_once' keeps no state, and {first!r} is state: "
            f"call it _{first}, or use effectively_once"
        )
        raise ConfigurationError(text)
    partitions = 0 if options.mailbox == "dedicated" else options.partitions
    layout = Layout(actor_type, options.generation, partitions)
    interleaved = frozenset(name for name, method in methods.items() if _interleaves(method))
    offloaded = frozenset(name for name, method in methods.items() if method.run_in != "loop")
    frozen = frozen_class(cls) if interleaved or offloaded else cls
    spec = ActorSpec(
        *(actor_type, cls, options, methods, state, layout),
        frozen=frozen,
        interleaved=interleaved,
        offloaded=offloaded,
        durable=options.delivery == "effectively_once",
    )
    setattr(cls, _ATTRIBUTE, spec)
    return cls


def _interleaves(method: AnyMethod) -> bool:
    return method.interleave or method.kind is Kind.STREAM


def _check_construction(cls: type) -> None:
    try:
        inspect.signature(cls).bind()
    except (TypeError, ValueError) as error:
        text = f"{cls.__name__}.__init__ must work without arguments, as the platform builds actors: {error}"
        raise ConfigurationError(text) from error
    parameters: object = getattr(cls, "__dataclass_params__", None)
    if getattr(parameters, "frozen", False):
        text = f"{cls.__name__} is a frozen dataclass: an actor's state changes"
    elif inspect.isabstract(cls):
        text = f"{cls.__name__} is abstract: decorate the classes that implement it"
    elif issubclass(cls, Handle):
        text = f"{cls.__name__} is a ref: @actor goes on the class whose methods run"
    else:
        return
    raise ConfigurationError(text)


def _check_hooks(cls: type) -> None:
    for name in HOOKS:
        hook = inspect.getattr_static(cls, name, None)
        try:
            if hook is not None:
                inspect.signature(cast("Callable[[object], object]", hook)).bind(None)
        except TypeError as error:
            text = f"{cls.__name__}.{name} is the platform's hook: define it as `async def {name}(self)`"
            raise ConfigurationError(text) from error
