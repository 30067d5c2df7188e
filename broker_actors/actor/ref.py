"""Typed refs: handles over an implementation class, and contracts.

`class CounterRef(Counter, Ref)` is a handle: its type, methods and layout come from
`Counter`. `class Cart(Ref)` is a contract: a type name, and methods whose bodies never
run. Invariant: no code of an actor runs on a ref, and none of its state is readable.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, ParamSpec, TypeVar, cast

from broker_actors.actor.handle import RESERVED_NAMES, Handle, Target, new_handle
from broker_actors.actor.hints import locals_of_caller
from broker_actors.actor.messages import methods_of
from broker_actors.actor.method import AnyMethod, Coro, Method
from broker_actors.actor.remote import Remote
from broker_actors.actor.spec import ActorSpec, is_actor, spec_of
from broker_actors.core.address import Address, check_id, check_type
from broker_actors.core.errors import ConfigurationError
from broker_actors.ports.calling import Caller, CallOptions

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
RefT = TypeVar("RefT", bound="Ref")

#: What a ref keeps of its own when the implementation class has it too.
_OWN: Final = (
    *sorted(RESERVED_NAMES),
    "__delattr__",
    "__eq__",
    "__getattr__",
    "__getattribute__",
    "__hash__",
    "__init__",
    "__repr__",
    "__setattr__",
    "__str__",
)


@dataclass(frozen=True, slots=True)
class Contract:
    """What a ref class knows of the actors it refers to.

    Attributes:
        type: the actor type.
        methods: the messages it offers, by name.
        spec: of the implementation class; None for a contract without worker code.

    """

    type: str
    methods: Mapping[str, AnyMethod]
    spec: ActorSpec | None


class Ref(Handle):
    """A typed handle on an actor.

    Subclass it together with the actor class (`class CounterRef(Counter, Ref)`), or alone
    with `@method` bodies that raise, for actors whose code lives elsewhere. The name of
    such a contract is the actor type; `class CartHandle(Ref, actor_type="Cart")` differs.
    """

    __contract__: ClassVar[Contract]

    def __init_subclass__(cls, *, actor_type: str | None = None, **options: object) -> None:
        """Read the contract of a new ref class.

        Raises:
            ConfigurationError: it mixes what cannot go together; the text says what to change.

        """
        super().__init_subclass__(**options)
        methods = methods_of(cls, locals_of_caller())
        implementation = next((base for base in cls.__mro__ if is_actor(base)), None)
        if implementation is None:
            cls.__contract__ = Contract(check_type(_contract_type(cls, actor_type)), methods, None)
        else:
            spec = spec_of(implementation)
            _check_handle(cls, spec, methods, actor_type)
            cls.__contract__ = Contract(spec.type, methods, spec)
        _hide_actor_code(cls)

    async def ask(self, method: Method[Any, P, Any, Coro[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask by the method itself: `ref.ask(Counter.increment, 5)`.

        Raises:
            AttributeError: the actor has no such method.
            InvalidArgumentsError: the arguments do not fit the signature; nothing is sent.
            ActorError: what the actor answered.
            AskTimeoutError: no answer by the deadline.
            PlatformError: the call could not be sent or its answer not be read.

        """
        return await remote_of(self, method)(*args, **kwargs)

    # Hidden from type checkers: seeing it, they would accept every attribute of every ref.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Say what the name is, if the actor class has it, or what there is instead."""
            raise _missing(self.__contract__, name)

        def __setattr__(self, name: str, value: object) -> NoReturn:
            """Refuse."""
            raise _immutable(self, name)

        def __delattr__(self, name: str) -> NoReturn:
            """Refuse."""
            raise _immutable(self, name)


def remote_of(ref: Ref, method: Method[Any, P, Any, C]) -> Remote[P, C]:
    """Return the remote form of *method* on *ref*: of the method of that name which *ref* has.

    Raises:
        AttributeError: the actor has no such method.

    """
    contract = ref.__contract__
    own = contract.methods.get(method.name)
    if own is None:
        raise _missing(contract, method.name)
    return cast("Remote[P, C]", own.__get__(ref, type(ref)))


def make_ref(ref_type: type[RefT], actor_id: str, caller: Caller) -> RefT:
    """Return a ref of class *ref_type* that calls through *caller* outside of turns.

    Raises:
        ConfigurationError: the class is no ref class, or the id cannot be.

    """
    contract: object = getattr(ref_type, "__contract__", None)
    if not isinstance(contract, Contract):
        name = ref_type.__name__
        text = f"{name} is no ref class: declare `class {name}Ref({name}, Ref): ...` and use that"
        raise ConfigurationError(text)
    address = Address(contract.type, check_id(actor_id))
    if contract.spec is None:
        return new_handle(ref_type, Target(address, caller))
    options = CallOptions(content_type=contract.spec.options.content_type)
    return new_handle(ref_type, Target(address, caller, options, contract.spec.layout))


class _Hidden:
    """Stands where an attribute of the actor class would be; `Ref.__getattr__` explains."""

    def __get__(self, at: object, owner: type) -> NoReturn:
        raise AttributeError


def _contract_type(cls: type, actor_type: str | None) -> str:
    if actor_type is not None:
        return actor_type
    for base in _foreign(cls):
        if any(isinstance(value, Method) for value in vars(base).values()):
            text = f"{cls.__name__}: decorate {base.__name__} with @actor, or name the type: `actor_type=...`"
            raise ConfigurationError(text)
    return cls.__name__


def _check_handle(
    cls: type, spec: ActorSpec, methods: Mapping[str, AnyMethod], actor_type: str | None
) -> None:
    if actor_type not in {None, spec.type}:
        text = (
            f"{cls.__name__}: actor_type={actor_type!r}, but the type of {spec.cls.__name__} is {spec.type!r}"
        )
        raise ConfigurationError(text)
    for name, one in methods.items():
        if spec.methods.get(name) is not one:
            text = f"{cls.__name__}.{name} would never run: define it in {spec.cls.__name__}"
            raise ConfigurationError(text)


def _hide_actor_code(cls: type) -> None:
    """Keep what *cls* inherits from an actor class from being read on a ref."""
    foreign = list(_foreign(cls))
    if not foreign:
        return
    for name in _OWN:
        if name not in vars(cls):
            setattr(cls, name, inspect.getattr_static(Ref, name))
    ours = {name for base in cls.__mro__ if issubclass(base, Handle) for name in vars(base)}
    for base in foreign:
        for name in {*vars(base), *inspect.get_annotations(base)} - ours:
            is_machinery = name.startswith("__") and name.endswith("__")
            if not is_machinery and not isinstance(inspect.getattr_static(cls, name, None), Method):
                setattr(cls, name, _Hidden())


def _foreign(cls: type[object]) -> Iterator[type[object]]:
    lineage: tuple[type[object], ...] = cls.__mro__
    return (base for base in lineage if base is not object and not issubclass(base, Handle))


def _missing(contract: Contract, name: str) -> AttributeError:
    if contract.spec is not None and name in contract.spec.state.names:
        text = f"state is not readable through a ref: add a @method to {contract.type} that returns {name!r}"
        return AttributeError(text)
    if contract.spec is not None and hasattr(contract.spec.cls, name):
        text = f"{contract.type}.{name} is no message: decorate it with @method to call it through a ref"
        return AttributeError(text)
    known = sorted(contract.methods)
    close = get_close_matches(name, known, n=1)
    advice = f"did you mean {close[0]!r}?" if close else "is the ref's class up to date?"
    text = f"{contract.type} has no method {name!r}: {advice} It has {', '.join(known) or 'none'}"
    return AttributeError(text)


def _immutable(ref: Ref, name: str) -> AttributeError:
    return AttributeError(f"{ref}.{name}: a ref is immutable; an actor's state changes in its methods only")
