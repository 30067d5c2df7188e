"""A method's signature, compiled once: calls are checked where they are made, converted where they run.

The caller's side only binds, so that a caller with an older type still reaches a newer
actor. The worker's side binds and converts in one pass of pydantic's core. Conversion is
lax: what travels is plain, so an ISO text becomes a datetime again.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Any, Final, Protocol, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import ArgsKwargs

from broker_actors.actor import hints
from broker_actors.actor.hints import AnyFunction
from broker_actors.core.errors import ConfigurationError, InvalidArgumentsError, Plain, UndecodableError

#: The code of every refusal.
INVALID: Final = "invalid_arguments"
#: Problems listed in one refusal; the rest are counted.
PROBLEMS_MAX: Final = 10
_PATH_CHARACTERS_MAX: Final = 100

Bound = tuple[tuple[object, ...], dict[str, object]]


_BY_NAME: Final = (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)
_BY_POSITION: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class _Validator(Protocol):
    def validate_python(self, value: object, /, *, by_alias: bool, by_name: bool) -> Bound: ...


class Arguments:
    """The compiled signature of one method, without its `self`."""

    __slots__ = ("_any_types", "_declared_types", "_names", "_result", "_where")

    def __init__(
        self, where: str, function: AnyFunction, types: Mapping[str, object], result: object
    ) -> None:
        """Compile a signature.

        Args:
            where: names the method in errors: `Counter.increment`.
            function: the method, whose first parameter is `self`.
            types: its resolved annotations.
            result: the type of its result, or of what it yields; Any if it declares none.

        Raises:
            ConfigurationError: it has no `self`, or a type pydantic does not know.

        """
        parameters = _without_self(where, function)
        declared = {p.name: types[p.name] for p in parameters if p.name in types}
        self._where = where
        self._names = tuple(p.name for p in parameters if p.kind not in _BY_NAME)
        self._declared_types = _validator(where, parameters, declared)
        self._any_types = _validator(where, parameters, {})
        self._result = hints.adapter(result, f"{where}: its result")

    def bind(self, args: Sequence[object], kwargs: dict[str, Any]) -> None:
        """Check that *args* and *kwargs* are what the signature takes, whatever their types.

        Raises:
            InvalidArgumentsError: one is missing, unknown or given twice.

        """
        self._checked(self._any_types, args, kwargs)

    def validate(self, args: Sequence[object], kwargs: dict[str, Any]) -> Bound:
        """Return the arguments to call the method with, converted to its annotations.

        Raises:
            InvalidArgumentsError: one is missing, unknown, given twice or of a wrong type.

        """
        return self._checked(self._declared_types, args, kwargs)

    def convert_result(self, plain: object) -> object:
        """Return the plain result, or chunk, of a call as the declared type.

        Raises:
            UndecodableError: it is something else.

        """
        try:
            return self._result.validate_python(plain, by_alias=True, by_name=True)
        except ValidationError as error:
            text = f"{self._where} answered with something other than its declared result: {explain(error)}"
            raise UndecodableError(text) from error

    def _checked(self, validator: _Validator, args: Sequence[object], kwargs: dict[str, Any]) -> Bound:
        try:
            return validator.validate_python(ArgsKwargs(tuple(args), kwargs), by_alias=True, by_name=True)
        except ValidationError as error:
            details: Mapping[str, Plain] = {"method": self._where, "problems": problems(error, self._names)}
            text = f"{self._where}: {explain(error, self._names)}"
            raise InvalidArgumentsError(INVALID, text, details) from error


def explain(error: ValidationError, names: Sequence[str] = ()) -> str:
    """Return *error* in one line; *names* are of the positional arguments, if it is about a call."""
    listed = problems(error, names)
    more = error.error_count() - len(listed)
    text = "; ".join(f"{problem['path']}: {problem['message']}".removeprefix(": ") for problem in listed)
    return f"{text}; and {more} more" if more else text


def problems(error: ValidationError, names: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the first problems of *error* as plain values, without the input: it may be secret, or large."""
    listed = error.errors(include_url=False, include_context=False, include_input=False)[:PROBLEMS_MAX]
    return [{"path": _path(one["loc"], names), "type": one["type"], "message": one["msg"]} for one in listed]


def _path(location: tuple[int | str, ...], names: Sequence[str]) -> str:
    first, *rest = location or ("",)
    if names and isinstance(first, int):
        # Positions past the last name belong to it if it is `*args`, and to nothing otherwise.
        first = names[first] if first < len(names) else f"argument {first + 1}"
    return ".".join(str(part) for part in (first, *rest))[:_PATH_CHARACTERS_MAX]


def _without_self(where: str, function: AnyFunction) -> list[Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in _BY_POSITION:
        text = f"{where} needs `self` as its first parameter"
        raise ConfigurationError(text)
    return parameters[1:]


def _validator(where: str, parameters: Sequence[Parameter], types: Mapping[str, object]) -> _Validator:
    """Return what checks a call of a function with *parameters* and returns the bound arguments."""

    def collect(*args: object, **kwargs: object) -> Bound:
        return args, kwargs

    # Pydantic reads a function's signature and annotations; what it then calls is this collector.
    typed = [p.replace(annotation=types.get(p.name, Parameter.empty)) for p in parameters]
    vars(collect)["__signature__"] = inspect.Signature(typed)
    collect.__annotations__ = dict(types)
    try:
        return cast("_Validator", TypeAdapter(cast("type[Bound]", collect)).validator)
    except PydanticUserError as error:
        for name, hint in types.items():
            hints.adapter(hint, f"{where}: its parameter {name}")
        raise hints.unsupported(where, error) from error
