"""The answers to a batch, read in one go, where redis-py reads each through two coroutines of its own.

The parser is redis-py's own. What is asked of it past redis-py is not promised by that: its inner reader, and
what that returns when there is no whole answer yet. So it is only done with the minor release it was verified
with; with any other the answers are read one by one, as redis-py would have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version
from itertools import islice
from operator import attrgetter
from typing import Final, Protocol, cast

from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError

#: The minor release it was verified with, and the parser that redis-py takes where hiredis is installed.
_KNOWN: Final = ("8.1", "_AsyncHiredisParser")
#: Where that parser is, and the name it has for an answer that is not whole yet.
_MODULE: Final = "redis._parsers.hiredis"
_NOT_ENOUGH: Final = "NOT_ENOUGH_DATA"


class _Inner(Protocol):
    def gets(self) -> object: ...


class _Parser(Protocol):
    async def read_from_socket(self) -> bool: ...


#: What an answer is that is no error.
_NO_ERRORS: Final = frozenset({type(None), bytes, int, list})
_inner_of: Final = cast("Callable[[_Parser], _Inner]", attrgetter("_reader"))


@cache
def is_known() -> bool:
    """Return whether the installed release is the one that was verified."""
    return (".".join(version("redis").split(".")[:2]), DefaultParser.__name__) == _KNOWN


class BatchParser:
    """The parser of one connection, to which it is given as its `parser_class`."""

    def __init__(self) -> None:
        self._parser: _Parser | None = None
        self._not_enough: object = vars(import_module(_MODULE))[_NOT_ENOUGH]

    def __call__(self, socket_read_size: int) -> object:
        """Return redis-py's own parser, as a class of parsers would."""
        parser = DefaultParser(socket_read_size=socket_read_size)
        self._parser = cast("_Parser", parser)
        return parser

    async def read(self, count: int) -> list[object]:
        """Return the next *count* answers; an error that is one is among them.

        Raises:
            RedisError: the connection is gone, or what came is no answer.
            OSError: the connection is gone.

        """
        parser, not_enough = self._parser, self._not_enough
        assert parser is not None, "the connection has made its parser"
        gets = _inner_of(parser).gets
        answers: list[object] = []
        while True:
            here = list(islice(iter(gets, not_enough), count - len(answers)))
            if not _NO_ERRORS.issuperset(map(type, here)):
                _raise_lost(here)
            answers += here
            if len(answers) == count:
                return answers
            await parser.read_from_socket()


def _raise_lost(answers: Sequence[object]) -> None:
    for answer in answers:
        if isinstance(answer, RedisConnectionError):
            raise answer
