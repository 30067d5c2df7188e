"""Arguments of a call, as typed in a shell."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, NoReturn, cast

from broker_actors.core.errors import ConfigurationError, Plain

_NAMED: Final = re.compile(r"([^\W\d]\w*)=(.*)", re.DOTALL)


def parse(words: Sequence[str]) -> tuple[list[Plain], dict[str, Plain]]:
    """Return the positional and the named arguments in *words*.

    A word that begins with `name=` is a named argument. A value is JSON, or else text: so
    `5` is a number, `'"5"'` and `five` are text.

    Raises:
        ConfigurationError: a name is given twice, a positional argument follows a named one, or a
            word is no UTF-8.

    """
    args: list[Plain] = []
    kwargs: dict[str, Plain] = {}
    for word in words:
        _check_utf8(word)
        named = _NAMED.fullmatch(word)
        if named is None:
            if kwargs:
                text = f"argument {word!r} stands after a named one: put it before {next(iter(kwargs))}=..."
                raise ConfigurationError(text)
            args.append(_value(word))
            continue
        name, value = named.groups()
        if name in kwargs:
            text = f"argument {name}= is given twice"
            raise ConfigurationError(text)
        kwargs[name] = _value(value)
    return args, kwargs


def parse_value(word: str) -> Plain:
    """Return one value: JSON, or else text.

    Raises:
        ConfigurationError: it is no UTF-8.

    """
    _check_utf8(word)
    return _value(word)


def _check_utf8(word: str) -> None:
    # Bytes of the command line that are no text arrive as halves of surrogate pairs.
    try:
        word.encode()
    except UnicodeEncodeError as error:
        text = f"argument {word!r} cannot be written as UTF-8"
        raise ConfigurationError(text) from error


def _value(text: str) -> Plain:
    try:
        return cast("Plain", json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> NoReturn:
    # NaN and Infinity are no JSON, although Python reads them as such.
    raise ValueError(name)
