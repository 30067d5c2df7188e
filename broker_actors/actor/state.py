"""An actor's state as bytes, and back.

Invariant: what `dump` wrote, `load` of the same class gives back, or says which attribute
stands in the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from broker_actors.actor import hints, migration
from broker_actors.actor.arguments import explain
from broker_actors.actor.durable import durable_types, guessed_type, public_slots
from broker_actors.actor.hints import Locals
from broker_actors.actor.plain import simplify
from broker_actors.core import codec, stored
from broker_actors.core.errors import (
    ConfigurationError,
    NewerStateError,
    PlatformError,
    StateUndecodableError,
    UndeclaredStateError,
)
from broker_actors.core.stored import NewerLayout, Stored

_UNSET: Final = object()
_NO_ATTRIBUTES: Final[Mapping[str, object]] = MappingProxyType({})


class StateSchema:
    """The durable attributes of one actor class, compiled."""

    __slots__ = ("_adapters", "_cls", "_declared", "_slots", "_type", "_version", "names")

    def __init__(self, cls: type, scope: Locals, version: int = 1) -> None:
        """Compile the state of *cls*.

        Args:
            cls: the actor class.
            scope: the local variables around the class.
            version: of what the class stores.

        Raises:
            ConfigurationError: a declaration cannot work; see `durable.durable_types` and `migration.check`.

        """
        types = durable_types(cls, scope)
        migration.check(cls, version)
        self._cls = cls
        self._type = cls.__name__
        self._version = version
        self._adapters = {n: hints.adapter(hint, f"{cls.__name__}.{n}") for n, hint in types.items()}
        self._declared = self._adapters.keys()
        self._slots = tuple(name for name in public_slots(cls) if name not in types)
        #: The durable names, those of base classes first.
        self.names: Final = tuple(types)

    def load(self, instance: object, data: bytes | None) -> None:
        """Set the durable attributes of the new *instance* from *data*.

        What an older version of the class wrote goes through its `migrate` first. What *data*
        does not hold stays as the class and its `__init__` made it. Nothing is set unless
        everything decodes.

        Args:
            instance: an actor, just constructed.
            data: what `dump` returned; None for an actor that has no state yet.

        Raises:
            StateUndecodableError: it is no state, or does not fit the class; the text names the attribute.
            NewerStateError: a newer version of the class, or a newer release of this package, wrote it.

        """
        if data is None:
            return
        known = migration.migrated(self._cls, self._stored(data), self._version)
        values = {name: self._decoded(name, value) for name, value in known.items()}
        for name, value in values.items():
            setattr(instance, name, value)

    def dump(self, instance: object) -> bytes:
        """Return the durable attributes of *instance*; one that is not set is left out.

        Raises:
            UndeclaredStateError: it has a public attribute that no annotation declares.
            ConfigurationError: two attributes share one mutable object.
            TypeError: a value has no plain form; the text names the attribute.
            PayloadTooLargeError: the state is over the limit.

        """
        values = self._values(instance)
        self._check_distinct(values)
        return self._packed(values)

    def changed(self, instance: object, before: bytes | None) -> bytes | None:
        """Return what `dump` returns, to be committed; None if that is what it was *before*.

        Raises:
            ConfigurationError: an attribute holds something else than its annotation says, so that `load`
                could not read it; see also `dump`.
            UndeclaredStateError: see `dump`.
            TypeError: see `dump`.
            PayloadTooLargeError: see `dump`.

        """
        values = self._values(instance)
        # Scalars are read as they were written, and two attributes may well hold the same one.
        are_scalars = codec.SCALARS.issuperset(map(type, values.values()))
        data = stored.pack_scalars(values, self._version) if are_scalars else None
        if data is None:
            self._check_distinct(values)
            data = self._packed(values)
        if data == before:
            return None
        found = values if are_scalars else self._stored(data).values
        for name, plain in found.items():
            try:
                self._adapters[name].validator.validate_python(plain, by_alias=True, by_name=True)
            except ValidationError as error:
                text = f"{self._type}.{name} holds something else than its annotation says: {explain(error)}"
                raise ConfigurationError(text) from error
        return data

    def _values(self, instance: object) -> dict[str, object]:
        attributes: Mapping[str, object] = getattr(instance, "__dict__", _NO_ATTRIBUTES)
        if self._slots or not attributes.keys() <= self._declared:
            self._check_declared(instance, attributes)
        values: dict[str, object] = {}
        for name in self.names:
            value = getattr(instance, name, _UNSET)
            if value is not _UNSET:
                values[name] = value
        return values

    def _packed(self, values: Mapping[str, object]) -> bytes:
        try:
            return stored.pack(values, self._version, simplify=simplify, what=f"state of {self._type}")
        except TypeError as error:
            text = f"{self._type}.{_culprit(values)}: {error}"
            raise TypeError(text) from error

    def _stored(self, data: bytes) -> Stored:
        try:
            found = stored.unpack(data)
        except PlatformError as error:
            text = f"the stored {len(data)} bytes are no state of {self._type}: {error}"
            raise StateUndecodableError(text) from error
        if isinstance(found, NewerLayout):
            written = f"a release with state layout {found.layout}, and this worker knows {stored.LAYOUT_MAX}"
        elif found.version > self._version:
            written = f"version {found.version} of {self._type}, and this worker knows {self._version}"
        else:
            return found
        text = f"the state was written by {written}: deploy the newer release to all workers"
        raise NewerStateError(text)

    def _decoded(self, name: str, plain: object) -> object:
        kind = type(plain).__name__
        adapter = self._adapters.get(name)
        if adapter is None:
            text = (
                f"stored state of {self._type} has an attribute {name!r} ({kind}) that the class does not "
                "declare: declare it again, even if unused, or drop it in migrate()"
            )
            raise StateUndecodableError(text)
        try:
            return adapter.validate_python(plain, by_alias=True, by_name=True)
        except ValidationError as error:
            text = (
                f"stored state of {self._type} has a value ({kind}) that does not fit {self._type}.{name}: "
                f"{explain(error)}: take the old type back, or convert it in migrate()"
            )
            raise StateUndecodableError(text) from error

    def _check_declared(self, instance: object, attributes: Mapping[str, object]) -> None:
        for name in attributes:
            if name not in self._adapters and not name.startswith("_"):
                raise self._undeclared(name, attributes[name])
        for name in self._slots:
            if hasattr(instance, name):
                raise self._undeclared(name, getattr(instance, name))

    def _undeclared(self, name: str, value: object) -> UndeclaredStateError:
        text = (
            f"{self._type}.{name} is public but not declared: "
            f'add "{name}: {guessed_type(value)}" to the class body, or call it _{name}'
        )
        return UndeclaredStateError(text)

    def _check_distinct(self, values: Mapping[str, object]) -> None:
        owners: dict[int, str] = {}
        for name, value in values.items():
            if type(value) in codec.SCALARS:
                # Two attributes may well hold the same one.
                continue
            other = owners.setdefault(id(value), name)
            if other != name and _is_mutable(value):
                text = (
                    f"{self._type}.{other} and {self._type}.{name} are one object, which two stored values "
                    f"cannot be: copy it, or call the second _{name}"
                )
                raise ConfigurationError(text)


def _is_mutable(value: object) -> bool:
    # Values that compare by identity (a dataclass with eq=False) hash and can still change.
    return type(value).__hash__ in (None, object.__hash__)


def _culprit(values: Mapping[str, object]) -> str:
    for name, value in values.items():
        try:
            codec.encode(value, simplify=simplify)
        except TypeError:
            return name
    return "state"
